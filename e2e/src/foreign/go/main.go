// A pipe to a WebSocket with github.com/coder/websocket: lines of the input are sent, what comes is told in JSON lines.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coder/websocket"
)

func say(facts map[string]any) {
	line, err := json.Marshal(facts)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func main() {
	options := &websocket.DialOptions{}
	if len(os.Args) > 2 {
		options.Subprotocols = os.Args[2:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	connection, response, err := websocket.Dial(ctx, os.Args[1], options)
	if err != nil {
		status := 0
		if response != nil {
			status = response.StatusCode
		}
		say(map[string]any{"event": "refused", "status": status})
		return
	}
	connection.SetReadLimit(-1)
	say(map[string]any{"event": "open", "subprotocol": connection.Subprotocol()})
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			if err := connection.Write(ctx, websocket.MessageText, lines.Bytes()); err != nil {
				return
			}
		}
		_ = connection.Close(websocket.StatusNormalClosure, "done")
	}()
	for {
		_, data, err := connection.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				say(map[string]any{"event": "closed", "code": int(closed.Code), "reason": closed.Reason})
			} else {
				say(map[string]any{"event": "closed", "code": 1006, "reason": err.Error()})
			}
			return
		}
		say(map[string]any{"event": "frame", "frame": json.RawMessage(data)})
	}
}
