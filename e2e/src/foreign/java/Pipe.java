// A pipe to a WebSocket with java.net.http: lines of the input are sent, what comes is told in JSON lines.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;

public final class Pipe implements WebSocket.Listener {
  private final StringBuilder text = new StringBuilder();
  private final CountDownLatch closed = new CountDownLatch(1);

  public static void main(String[] arguments) throws Exception {
    System.setOut(new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8));
    Pipe pipe = new Pipe();
    WebSocket.Builder builder = HttpClient.newHttpClient().newWebSocketBuilder();
    if (arguments.length > 1) {
      builder.subprotocols(arguments[1], Arrays.copyOfRange(arguments, 2, arguments.length));
    }
    WebSocket socket;
    try {
      socket = builder.buildAsync(URI.create(arguments[0]), pipe).join();
    } catch (CompletionException failure) {
      int status =
          failure.getCause() instanceof WebSocketHandshakeException refusal ? refusal.getResponse().statusCode() : 0;
      System.out.println("{\"event\":\"refused\",\"status\":" + status + "}");
      return;
    }
    Thread sender = new Thread(() -> sendInput(socket));
    sender.setDaemon(true);
    sender.start();
    pipe.closed.await();
    System.exit(0);
  }

  private static void sendInput(WebSocket socket) {
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        socket.sendText(line, true).join();
      }
      socket.sendClose(WebSocket.NORMAL_CLOSURE, "done").join();
    } catch (Exception closing) {
      // The end of the socket is told by the listener.
    }
  }

  @Override
  public void onOpen(WebSocket socket) {
    System.out.println("{\"event\":\"open\",\"subprotocol\":\"" + socket.getSubprotocol() + "\"}");
    socket.request(1);
  }

  @Override
  public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
    text.append(part);
    if (isLast) {
      System.out.println("{\"event\":\"frame\",\"frame\":" + text + "}");
      text.setLength(0);
    }
    socket.request(1);
    return null;
  }

  @Override
  public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
    System.out.println("{\"event\":\"closed\",\"code\":" + code + ",\"reason\":\"" + reason + "\"}");
    closed.countDown();
    return null;
  }

  @Override
  public void onError(WebSocket socket, Throwable error) {
    System.out.println("{\"event\":\"closed\",\"code\":1006,\"reason\":\"\"}");
    closed.countDown();
  }
}
