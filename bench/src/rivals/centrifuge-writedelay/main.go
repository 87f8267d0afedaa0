// A small server on the centrifuge library with the write delay that the free Centrifugo does not offer: messages for one
// connection gather for a moment and leave in one frame. History in memory, everybody may subscribe and publish.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	historyMessages = 1000
	historyTTL      = 300 * time.Second
	framesJoined    = 64
)

func main() {
	delayMs, err := strconv.Atoi(os.Getenv("BENCH_WRITE_DELAY_MS"))
	if err != nil {
		log.Fatal("BENCH_WRITE_DELAY_MS must be a number")
	}
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{UserID: "bench"},
			WriteDelay:         time.Duration(delayMs) * time.Millisecond,
			WriteWithTimer:     true,
			ReplyWithoutQueue:  true,
			MaxMessagesInFrame: framesJoined,
			PingPongConfig:     &centrifuge.PingPongConfig{PingInterval: 300 * time.Second, PongTimeout: 200 * time.Second},
		}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true}}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, answer centrifuge.PublishCallback) {
			answer(centrifuge.PublishReply{Options: centrifuge.PublishOptions{HistorySize: historyMessages, HistoryTTL: historyTTL}}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true },
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("BENCH_PORT"), nil))
}
