import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A loopback relay whose connections can be cut, to make a client believe the network failed. */
final class Proxy {
    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final String host;
    private final int port;

    Proxy(String host, int port) throws IOException {
        this.host = host;
        this.port = port;
        run(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    void cut() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    private static void run(Runnable body) {
        Thread thread = new Thread(body);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            while (true) {
                Socket near = listener.accept();
                Socket far = new Socket(host, port);
                sockets.add(near);
                sockets.add(far);
                run(() -> copy(near, far));
                run(() -> copy(far, near));
            }
        } catch (IOException over) {
            // The listener ends with the program.
        }
    }

    private static void copy(Socket from, Socket to) {
        byte[] buffer = new byte[65536];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int size; (size = in.read(buffer)) > 0;) {
                out.write(buffer, 0, size);
            }
            to.close();
        } catch (IOException over) {
            // The other direction closes both.
        }
    }
}
