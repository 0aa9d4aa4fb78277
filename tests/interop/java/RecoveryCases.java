import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Automatic recovery after a cut connection: the client redeclares its topology, and it must work again. */
final class RecoveryCases {
    private RecoveryCases() {
    }

    static void register() {
        Suite.CASES.put("recovery_redeclares_the_topology", RecoveryCases::topology);
        Suite.CASES.put("recovery_redelivers_unacked", RecoveryCases::unacked);
    }

    static final class Recovering {
        final Proxy proxy;
        final Connection connection;

        Recovering(Suite t) throws Exception {
            ConnectionFactory factory = t.factory();
            proxy = new Proxy(factory.getHost(), factory.getPort());
            factory.setHost("127.0.0.1");
            factory.setPort(proxy.port());
            factory.setAutomaticRecoveryEnabled(true);
            factory.setTopologyRecoveryEnabled(true);
            factory.setNetworkRecoveryInterval(100);
            connection = t.keep(factory.newConnection());
        }

        void cutAndWait() throws Exception {
            CountDownLatch recovered = new CountDownLatch(1);
            ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
                @Override
                public void handleRecovery(Recoverable recoverable) {
                    recovered.countDown();
                }

                @Override
                public void handleRecoveryStarted(Recoverable recoverable) {
                    // Only its end matters.
                }
            });
            proxy.cut();
            Suite.check(recovered.await(15, TimeUnit.SECONDS), "no recovery within 15 s");
        }
    }

    static void topology(Suite t) throws Exception {
        Recovering recovering = new Recovering(t);
        Channel channel = recovering.connection.createChannel();
        String exchange = t.name("x");
        channel.exchangeDeclare(exchange, "topic", false, true, null);
        String queue = channel.queueDeclare("", false, true, true, null).getQueue();
        channel.queueBind(queue, exchange, "a.#");
        channel.basicQos(10);
        Inbox inbox = new Inbox(channel);
        channel.basicConsume(queue, true, inbox);
        recovering.cutAndWait();
        // The queue came back under a new server-made name; binding and consumer must have followed it.
        channel.basicPublish(exchange, "a.b", null, "after".getBytes());
        Suite.equal(inbox.next().text(), "after");
    }

    static void unacked(Suite t) throws Exception {
        Recovering recovering = new Recovering(t);
        Channel channel = recovering.connection.createChannel();
        String queue = t.queue(channel);
        Inbox inbox = new Inbox(channel);
        channel.basicConsume(queue, false, inbox);
        channel.basicPublish("", queue, null, "held".getBytes());
        inbox.next();
        recovering.cutAndWait();
        Inbox.Message again = inbox.next();
        Suite.equal(again.text(), "held");
        Suite.check(again.envelope.isRedeliver(), "not flagged");
        channel.basicAck(again.envelope.getDeliveryTag(), false);
        Suite.equal(channel.messageCount(queue), 0L);
    }
}
