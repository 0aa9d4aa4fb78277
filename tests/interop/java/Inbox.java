import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A consumer that stores its deliveries and a server's cancel. */
class Inbox extends DefaultConsumer {
    static class Message {
        final Envelope envelope;
        final AMQP.BasicProperties properties;
        final byte[] body;

        Message(Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
            this.envelope = envelope;
            this.properties = properties;
            this.body = body;
        }

        String text() {
            return new String(body);
        }
    }

    final LinkedBlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    final LinkedBlockingQueue<String> cancelled = new LinkedBlockingQueue<>();

    Inbox(Channel channel) {
        super(channel);
    }

    @Override
    public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        messages.add(new Message(envelope, properties, body));
    }

    @Override
    public void handleCancel(String tag) {
        cancelled.add(tag);
    }

    Message next() throws InterruptedException {
        Message message = messages.poll(5, TimeUnit.SECONDS);
        Suite.check(message != null, "no delivery within 5 s");
        return message;
    }
}
