import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;

/** Errors as the Java client shows them: code, text, class and method, and what stays open. */
final class ErrorCases {
    interface Action {
        void run() throws Exception;
    }

    private ErrorCases() {
    }

    static void register() {
        Suite.CASES.put("missing_queue_404", ErrorCases::missingQueue);
        Suite.CASES.put("inequivalent_406", ErrorCases::inequivalent);
        Suite.CASES.put("exclusive_queue_405", ErrorCases::exclusiveQueue);
        Suite.CASES.put("exclusive_consumer_403", ErrorCases::exclusiveConsumer);
        Suite.CASES.put("reserved_name_403", ErrorCases::reservedName);
        Suite.CASES.put("already_closed_keeps_the_code", ErrorCases::alreadyClosed);
        Suite.CASES.put("unknown_delivery_tag", ErrorCases::unknownTag);
        Suite.CASES.put("hard_error_closes_the_connection", ErrorCases::hardError);
        Suite.CASES.put("bad_password", ErrorCases::badPassword);
        Suite.CASES.put("missing_vhost", ErrorCases::missingVhost);
        Suite.CASES.put("unknown_exchange_type", ErrorCases::unknownType);
        Suite.CASES.put("delete_of_missing_things", ErrorCases::deleteMissing);
    }

    /** Runs the action, which must fail with a close of this level; checks code, text and the method named. */
    static void refused(boolean hard, int code, String text, int classId, int methodId, Action action)
            throws Exception {
        ShutdownSignalException signal = null;
        try {
            action.run();
        } catch (ShutdownSignalException direct) {
            signal = direct;
        } catch (IOException wrapped) {
            if (!(wrapped.getCause() instanceof ShutdownSignalException)) {
                throw wrapped;
            }
            signal = (ShutdownSignalException) wrapped.getCause();
        }
        Suite.check(signal != null, "not refused, expected " + code + " " + text);
        verify(signal, hard, code, text, classId, methodId);
    }

    static void verify(ShutdownSignalException signal, boolean hard, int code, String text, int classId, int methodId) {
        Suite.equal(signal.isHardError(), hard);
        Method reason = signal.getReason();
        int gotCode, gotClass, gotMethod;
        String gotText;
        if (reason instanceof AMQP.Channel.Close) {
            AMQP.Channel.Close close = (AMQP.Channel.Close) reason;
            gotCode = close.getReplyCode();
            gotText = close.getReplyText();
            gotClass = close.getClassId();
            gotMethod = close.getMethodId();
        } else {
            AMQP.Connection.Close close = (AMQP.Connection.Close) reason;
            gotCode = close.getReplyCode();
            gotText = close.getReplyText();
            gotClass = close.getClassId();
            gotMethod = close.getMethodId();
        }
        Suite.equal(gotCode, code);
        Suite.check(gotText.contains(text), "text " + gotText);
        Suite.equal(gotClass + "," + gotMethod, classId + "," + methodId);
    }

    static void missingQueue(Suite t) throws Exception {
        Connection connection = t.connect();
        refused(false, 404, "NOT_FOUND - no queue 'ghost-here' in vhost '/'", 50, 10,
                () -> connection.createChannel().queueDeclarePassive("ghost-here"));
        refused(false, 404, "NOT_FOUND - no exchange 'ghost-here' in vhost '/'", 40, 10,
                () -> connection.createChannel().exchangeDeclarePassive("ghost-here"));
        Suite.check(connection.isOpen(), "connection closed");
    }

    static void inequivalent(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        refused(false, 406, "inequivalent arg 'durable' for queue '" + queue + "' in vhost '/': received 'false' but "
                + "current is 'true'", 50, 10, () -> channel.queueDeclare(queue, false, false, false, null));
    }

    static void exclusiveQueue(Suite t) throws Exception {
        String queue = t.channel().queueDeclare().getQueue();
        refused(false, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue", 50, 10,
                () -> t.channel().queueDeclarePassive(queue));
        refused(false, 405, "RESOURCE_LOCKED", 60, 20, () -> {
            Channel other = t.channel();
            other.basicConsume(queue, new Inbox(other));
        });
    }

    static void exclusiveConsumer(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.basicConsume(queue, true, "one", false, true, null, new Inbox(channel));
        refused(false, 403, "queue '" + queue + "' in vhost '/' in exclusive use", 60, 20, () -> {
            Channel other = t.channel();
            other.basicConsume(queue, new Inbox(other));
        });
    }

    static void reservedName(Suite t) throws Exception {
        refused(false, 403, "contains reserved prefix 'amq.*'", 50, 10,
                () -> t.channel().queueDeclare("amq.mine", false, false, false, null));
    }

    static void alreadyClosed(Suite t) throws Exception {
        Connection connection = t.connect();
        Channel channel = connection.createChannel();
        channel.basicPublish("no-such-exchange", "k", null, new byte[1]);
        for (int i = 0; i < 200 && channel.isOpen(); i++) {
            Thread.sleep(20);
        }
        try {
            channel.basicPublish("", "q", null, new byte[1]);
            throw new AssertionError("the channel took a publish");
        } catch (AlreadyClosedException closed) {
            verify(closed, false, 404, "no exchange 'no-such-exchange' in vhost '/'", 60, 40);
        }
        Suite.check(connection.isOpen(), "connection closed");
    }

    static void unknownTag(Suite t) throws Exception {
        Channel channel = t.channel();
        channel.basicAck(42, false);
        refused(false, 406, "unknown delivery tag 42", 60, 80, () -> channel.queueDeclare());
    }

    static void hardError(Suite t) throws Exception {
        Connection connection = t.connect();
        Channel channel = connection.createChannel();
        refused(true, 540, "immediate=true", 60, 40, () -> {
            channel.basicPublish("", "q", false, true, null, new byte[1]);
            channel.queueDeclare();
        });
        Suite.check(!connection.isOpen(), "connection still open");
    }

    static void badPassword(Suite t) throws Exception {
        ConnectionFactory factory = t.factory();
        factory.setPassword("wrong");
        try {
            factory.newConnection();
            throw new AssertionError("logged in");
        } catch (AuthenticationFailureException refused) {
            Suite.check(refused.getMessage().contains("ACCESS_REFUSED"), refused.getMessage());
        }
    }

    static void missingVhost(Suite t) throws Exception {
        ConnectionFactory factory = t.factory();
        factory.setVirtualHost("no-such-vhost");
        refused(true, 530, "NOT_ALLOWED - vhost no-such-vhost not found", 10, 40, factory::newConnection);
    }

    static void unknownType(Suite t) throws Exception {
        // 3.13 made this a channel error.
        boolean old = t.server.equals("rabbitmq");
        refused(old, old ? 503 : 406, "unknown exchange type 'nonsense'", 40, 10,
                () -> t.channel().exchangeDeclare(t.name("x"), "nonsense"));
    }

    static void deleteMissing(Suite t) throws Exception {
        Channel channel = t.channel();
        Suite.equal(channel.queueDelete("ghost-here").getMessageCount(), 0);
        channel.exchangeDelete("ghost-here");
        channel.queueUnbind("ghost-here", "amq.direct", "k");
    }
}
