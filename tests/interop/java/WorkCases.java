import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConfirmListener;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcServer;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Ordinary work: confirms, consumers, get, returns, RPC, header types. */
final class WorkCases {
    private WorkCases() {
    }

    static void register() {
        Suite.CASES.put("publish_and_get", WorkCases::publishAndGet);
        Suite.CASES.put("consume_with_acks", WorkCases::consumeWithAcks);
        Suite.CASES.put("prefetch", WorkCases::prefetch);
        Suite.CASES.put("confirm_listener", WorkCases::confirmListener);
        Suite.CASES.put("wait_for_confirms", WorkCases::waitForConfirms);
        Suite.CASES.put("nacked_by_reject_publish", WorkCases::nackedByRejectPublish);
        Suite.CASES.put("return_listener_before_confirm", WorkCases::returnBeforeConfirm);
        Suite.CASES.put("direct_reply_to_rpc_client", WorkCases::directReplyTo);
        Suite.CASES.put("rpc_server_and_callback_queue", WorkCases::rpcServer);
        Suite.CASES.put("header_types", WorkCases::headerTypes);
        Suite.CASES.put("dead_letter_headers", WorkCases::deadLetter);
        Suite.CASES.put("transactions", WorkCases::transactions);
        Suite.CASES.put("large_messages", WorkCases::largeMessages);
        Suite.CASES.put("server_cancel", WorkCases::serverCancel);
        Suite.CASES.put("many_channels", WorkCases::manyChannels);
        Suite.CASES.put("server_properties", WorkCases::serverProperties);
        Suite.CASES.put("recover", WorkCases::recover);
    }

    static GetResponse get(Channel channel, String queue, boolean autoAck) throws Exception {
        for (int i = 0; i < 250; i++) {
            GetResponse response = channel.basicGet(queue, autoAck);
            if (response != null) {
                return response;
            }
            Thread.sleep(20);
        }
        throw new AssertionError("nothing came to " + queue);
    }

    static void publishAndGet(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.basicPublish("", queue, MessageProperties.PERSISTENT_TEXT_PLAIN, "hello".getBytes());
        GetResponse got = get(channel, queue, false);
        Suite.equal(new String(got.getBody()), "hello");
        Suite.equal(got.getEnvelope().getRoutingKey(), queue);
        Suite.equal(got.getMessageCount(), 0);
        channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
        Suite.equal(channel.basicGet(queue, true), null);
        Suite.equal(channel.messageCount(queue), 0L);
    }

    static void consumeWithAcks(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = new Inbox(channel);
        channel.basicConsume(queue, false, inbox);
        for (int i = 0; i < 100; i++) {
            channel.basicPublish("", queue, null, ("" + i).getBytes());
        }
        for (int i = 0; i < 100; i++) {
            Inbox.Message message = inbox.next();
            Suite.equal(message.text(), "" + i);
            channel.basicAck(message.envelope.getDeliveryTag(), false);
        }
        Suite.equal(channel.consumerCount(queue), 1L);
        channel.basicCancel(inbox.getConsumerTag());
        Suite.equal(channel.consumerCount(queue), 0L);
    }

    static void prefetch(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.basicQos(2);
        Inbox inbox = new Inbox(channel);
        channel.basicConsume(queue, false, inbox);
        for (int i = 0; i < 5; i++) {
            channel.basicPublish("", queue, null, new byte[1]);
        }
        inbox.next();
        Inbox.Message second = inbox.next();
        Suite.equal(inbox.messages.poll(300, TimeUnit.MILLISECONDS), null);
        channel.basicAck(second.envelope.getDeliveryTag(), true);
        inbox.next();
        inbox.next();
    }

    static void confirmListener(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        ConcurrentSkipListSet<Long> pending = new ConcurrentSkipListSet<>();
        channel.confirmSelect();
        channel.addConfirmListener(new ConfirmListener() {
            @Override
            public void handleAck(long number, boolean multiple) {
                if (multiple) {
                    pending.headSet(number, true).clear();
                } else {
                    pending.remove(number);
                }
            }

            @Override
            public void handleNack(long number, boolean multiple) {
                pending.add(-number);
            }
        });
        for (int i = 1; i <= 500; i++) {
            Suite.equal(channel.getNextPublishSeqNo(), (long) i);
            pending.add((long) i);
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, new byte[20]);
        }
        Suite.check(channel.waitForConfirms(10000), "a nack came");
        // waitForConfirms and the listener are told one after the other.
        for (int i = 0; i < 100 && !pending.isEmpty(); i++) {
            Thread.sleep(10);
        }
        Suite.check(pending.isEmpty(), "unconfirmed: " + pending);
    }

    static void waitForConfirms(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.confirmSelect();
        for (int i = 0; i < 10; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, new byte[20]);
            channel.waitForConfirmsOrDie(5000);
            Suite.equal(channel.messageCount(queue), (long) i + 1);
        }
    }

    static void nackedByRejectPublish(Suite t) throws Exception {
        Channel channel = t.channel();
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-max-length", 1);
        arguments.put("x-overflow", "reject-publish");
        String queue = t.queue(channel, "q", arguments);
        channel.confirmSelect();
        channel.basicPublish("", queue, null, new byte[1]);
        Suite.check(channel.waitForConfirms(5000), "the first was refused");
        channel.basicPublish("", queue, null, new byte[1]);
        Suite.check(!channel.waitForConfirms(5000), "the second was accepted");
    }

    static void returnBeforeConfirm(Suite t) throws Exception {
        Channel channel = t.channel();
        LinkedBlockingQueue<String> order = new LinkedBlockingQueue<>();
        channel.confirmSelect();
        channel.addReturnListener((code, text, exchange, key, properties, body) ->
                order.add("return " + code + " " + text + " " + exchange + " " + key + " " + new String(body)));
        channel.addConfirmListener(new ConfirmListener() {
            @Override
            public void handleAck(long number, boolean multiple) {
                order.add("ack " + number);
            }

            @Override
            public void handleNack(long number, boolean multiple) {
                order.add("nack " + number);
            }
        });
        channel.basicPublish("amq.direct", "nobody", true, null, "x".getBytes());
        Suite.equal(order.poll(5, TimeUnit.SECONDS), "return 312 NO_ROUTE amq.direct nobody x");
        Suite.equal(order.poll(5, TimeUnit.SECONDS), "ack 1");
    }

    static void directReplyTo(Suite t) throws Exception {
        Channel client = t.channel();
        Channel server = t.channel();
        String queue = t.queue(client);
        serve(server, queue);
        RpcClient rpc = new RpcClient(client, "", queue, "amq.rabbitmq.reply-to", 5000);
        for (int i = 0; i < 20; i++) {
            Suite.equal(rpc.stringCall("ask " + i), "answer to ask " + i);
        }
        rpc.close();
    }

    private static void serve(Channel channel, String queue) throws Exception {
        RpcServer server = new RpcServer(channel, queue) {
            @Override
            public byte[] handleCall(byte[] request, BasicProperties reply) {
                return ("answer to " + new String(request)).getBytes();
            }
        };
        Thread thread = new Thread(() -> {
            try {
                server.mainloop();
            } catch (Exception over) {
                // The connection ends with the case.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    static void rpcServer(Suite t) throws Exception {
        Channel client = t.channel();
        String queue = t.queue(client);
        serve(t.channel(), queue);
        String callback = client.queueDeclare().getQueue();
        RpcClient rpc = new RpcClient(client, "", queue, callback, 5000);
        Suite.equal(rpc.stringCall("me"), "answer to me");
    }

    static void headerTypes(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Map<String, Object> headers = new HashMap<>();
        headers.put("int", 7);
        headers.put("long", 1L << 40);
        headers.put("short", (short) 3);
        headers.put("byte", (byte) -1);
        headers.put("float", 0.5f);
        headers.put("double", 0.25);
        headers.put("bool", true);
        headers.put("date", new Date(1700000000000L));
        headers.put("decimal", new BigDecimal("12.34"));
        headers.put("null", null);
        headers.put("list", Arrays.asList(1, 2L, (short) 3));
        headers.put("map", Collections.singletonMap("k", 1));
        BasicProperties properties = new BasicProperties.Builder().headers(headers).build();
        channel.basicPublish("", queue, properties, new byte[0]);
        Map<String, Object> got = get(channel, queue, true).getProps().getHeaders();
        for (Map.Entry<String, Object> each : headers.entrySet()) {
            Suite.check(got.containsKey(each.getKey()), "missing " + each.getKey());
            Suite.equal(got.get(each.getKey()), each.getValue());
        }
    }

    static void deadLetter(Suite t) throws Exception {
        Channel channel = t.channel();
        String dead = t.queue(channel, "dead", new HashMap<>());
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-dead-letter-exchange", "");
        arguments.put("x-dead-letter-routing-key", dead);
        String queue = t.queue(channel, "q", arguments);
        channel.basicPublish("", queue, null, new byte[0]);
        channel.basicReject(get(channel, queue, false).getEnvelope().getDeliveryTag(), false);
        Map<String, Object> headers = get(channel, dead, true).getProps().getHeaders();
        Map<?, ?> death = (Map<?, ?>) ((List<?>) headers.get("x-death")).get(0);
        Suite.equal(death.get("count"), 1L);
        Suite.equal(death.get("reason").toString(), "rejected");
        Suite.equal(death.get("queue").toString(), queue);
        Suite.check(death.get("time") instanceof Date, "time is " + death.get("time").getClass());
    }

    static void transactions(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.txSelect();
        channel.basicPublish("", queue, null, new byte[1]);
        channel.txRollback();
        channel.basicPublish("", queue, null, new byte[2]);
        channel.txCommit();
        Suite.equal(get(channel, queue, true).getBody().length, 2);
        Suite.equal(channel.basicGet(queue, true), null);
    }

    static void largeMessages(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = new Inbox(channel);
        channel.basicConsume(queue, true, inbox);
        for (int size : new int[] {0, 1, 131064, 131065, 1 << 20, 5 << 20}) {
            byte[] body = new byte[size];
            new java.util.Random(size).nextBytes(body);
            channel.basicPublish("", queue, null, body);
            Suite.check(Arrays.equals(inbox.next().body, body), "other bytes of " + size);
        }
    }

    static void serverCancel(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = new Inbox(channel);
        String tag = channel.basicConsume(queue, true, inbox);
        t.channel().queueDelete(queue);
        Suite.equal(inbox.cancelled.poll(5, TimeUnit.SECONDS), tag);
        Suite.check(channel.isOpen(), "channel closed");
    }

    static void manyChannels(Suite t) throws Exception {
        Connection connection = t.connect();
        Channel[] channels = new Channel[100];
        for (int i = 0; i < channels.length; i++) {
            channels[i] = connection.createChannel();
        }
        for (Channel channel : channels) {
            channel.close();
        }
        connection.createChannel().queueDeclare();
    }

    static void serverProperties(Suite t) throws Exception {
        Map<String, Object> properties = t.connect().getServerProperties();
        Suite.equal(properties.get("product").toString(), "RabbitMQ");
        Map<?, ?> capabilities = (Map<?, ?>) properties.get("capabilities");
        Suite.equal(capabilities.get("publisher_confirms"), true);
        Suite.equal(capabilities.get("connection.blocked"), true);
    }

    static void recover(Suite t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        channel.basicPublish("", queue, null, new byte[1]);
        Suite.check(!get(channel, queue, false).getEnvelope().isRedeliver(), "redelivered too early");
        channel.basicRecover(true);
        Suite.check(get(channel, queue, true).getEnvelope().isRedeliver(), "not flagged");
    }
}
