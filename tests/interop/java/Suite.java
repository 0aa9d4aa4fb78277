import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Java client suite: harness. Cases register themselves by name; each is bounded in time. */
public class Suite {
    interface Body {
        void run(Suite t) throws Exception;
    }

    static final Map<String, Body> CASES = new LinkedHashMap<>();

    final String url;
    final String server;
    final String prefix;
    final List<Connection> open = new ArrayList<>();
    final List<String> names = new ArrayList<>();

    Suite(String url, String server, String name) {
        this.url = url;
        this.server = server;
        this.prefix = "interop.java." + name + "." + UUID.randomUUID().toString().substring(0, 6);
    }

    ConnectionFactory factory() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        factory.setAutomaticRecoveryEnabled(false);
        factory.setRequestedHeartbeat(0);
        factory.setConnectionTimeout(10000);
        return factory;
    }

    Connection connect() throws Exception {
        return keep(factory().newConnection());
    }

    Connection keep(Connection connection) {
        open.add(connection);
        return connection;
    }

    Channel channel() throws Exception {
        return connect().createChannel();
    }

    String name(String suffix) {
        String full = prefix + "." + suffix;
        names.add(full);
        return full;
    }

    String queue(Channel channel) throws Exception {
        return queue(channel, "q", new HashMap<>());
    }

    String queue(Channel channel, String suffix, Map<String, Object> arguments) throws Exception {
        return channel.queueDeclare(name(suffix), true, false, false, arguments).getQueue();
    }

    void clean() throws Exception {
        Connection connection = factory().newConnection();
        Channel channel = connection.createChannel();
        for (String name : names) {
            channel.queueDelete(name);
            channel.exchangeDelete(name);
        }
        for (Connection each : open) {
            each.abort(1000);
        }
        connection.close();
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object got, Object want) {
        check(want == null ? got == null : want.equals(got), "got " + got + ", expected " + want);
    }

    static String reason(Throwable error) {
        Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
        StringBuilder text = new StringBuilder();
        for (Throwable each = cause; each != null && text.length() < 400; each = each.getCause()) {
            text.append(each.getClass().getSimpleName()).append(": ").append(each.getMessage()).append(' ');
        }
        for (StackTraceElement at : cause.getStackTrace()) {
            if (at.getFileName() != null && at.getFileName().contains("Cases")) {
                text.append('[').append(at.getFileName()).append(':').append(at.getLineNumber()).append(']');
                break;
            }
        }
        return text.toString().replaceAll("\\s+", " ").trim();
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i].substring(2), arguments[i + 1]);
        }
        long seconds = (long) Double.parseDouble(options.getOrDefault("timeout", "30"));
        WorkCases.register();
        ErrorCases.register();
        RecoveryCases.register();
        int failed = 0;
        ExecutorService pool = Executors.newCachedThreadPool(run -> {
            Thread thread = new Thread(run);
            thread.setDaemon(true);
            return thread;
        });
        for (Map.Entry<String, Body> each : CASES.entrySet()) {
            if (!each.getKey().contains(options.getOrDefault("filter", ""))) {
                continue;
            }
            Suite t = new Suite(options.get("url"), options.getOrDefault("name", "wharf"), each.getKey());
            Future<?> running = pool.submit(() -> {
                each.getValue().run(t);
                return null;
            });
            try {
                running.get(seconds, TimeUnit.SECONDS);
                System.out.println("ok " + each.getKey());
            } catch (TimeoutException late) {
                failed++;
                System.out.println("FAIL " + each.getKey() + ": still running after " + seconds + " s");
            } catch (ExecutionException error) {
                failed++;
                System.out.println("FAIL " + each.getKey() + ": " + reason(error));
            }
            try {
                pool.submit(() -> {
                    t.clean();
                    return null;
                }).get(10, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException ignored) {
                // Nothing depends on the names being gone.
            }
        }
        System.exit(failed > 0 ? 1 : 0);
    }
}
