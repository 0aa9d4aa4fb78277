// protocol/amqp/channel.h: one channel: what its methods do, what it holds, what it owes.
//
// A method is carried out at once or asks the core; while an answer is owed the channel is busy(),
// and the session offers it no further frame, so that nothing overtakes. Publishing and
// acknowledging never make it busy. Errors leave as values; the session closes the channel or the
// connection with them. After release() the channel holds nothing in the core any more and is fit
// only to be thrown away, or to wait for the peer's close-ok. Files: channel.cpp (dispatch, life),
// channel_publish.cpp, channel_consume.cpp (consumers, get, qos), channel_settle.cpp
// (acknowledgements), channel_catalog.cpp (exchanges and queues), channel_tx.cpp.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "protocol/amqp/confirms.h"
#include "protocol/amqp/errors.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/link.h"
#include "protocol/amqp/methods_gen.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/unacked.h"

namespace wharf::amqp {

class Channel {
 public:
  // `link` outlives the channel.
  Channel(Link& link, std::uint16_t number);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  std::uint16_t number() const { return number_; }
  bool busy() const { return pending_.id != 0 || commit_receipts_ > 0; }
  // The server has closed it and waits for close-ok: all else is to be discarded.
  bool closing() const { return closing_; }
  // What an error blames that does not say: the method in hand.
  MethodId current_method() const { return current_method_; }

  // ---- frames; REQUIRES: not busy, not closing
  Checked on_method(const Method& method, Chain& out);
  Checked on_header(const ContentHeader& header, Chain& out);
  Checked on_body(Bytes fragment, Chain& out);

  // ---- events of the core
  Checked on_reply(broker::Reply& reply, Chain& out);
  void on_delivery(Consumer& consumer, const broker::Delivery& delivery, Chain& out);
  Checked on_receipt(broker::Token token, bool stored, Chain& out);
  void on_cancelled(Consumer& consumer, Chain& out);
  void on_direct(const Consumer& consumer, const broker::Message& message, Chain& out);
  void on_live(const Consumer& consumer, const broker::LiveRecord& record, Chain& out);

  // ---- the end of a turn
  void flush_confirms(Chain& out);
  // Consumers that were held back by the limit of the channel get what has become free.
  void share_room();

  // Takes note of the time; the error when a delivery has been out for longer than allowed.
  Checked check_overdue(Instant now);
  bool has_unacked() const { return !unacked_.empty(); }

  // Gives back everything that it holds in the core.
  void release();
  void set_closing() { closing_ = true; }

 private:
  // A request to the core that is not answered yet, and what its answer needs.
  struct Pending {
    broker::RequestId id = 0;
    bool no_wait = false;
    std::string name;
    std::unique_ptr<broker::QueueSpec> queue{};
    std::unique_ptr<broker::ExchangeSpec> exchange{};
    broker::ConsumerId consumer = 0;
    bool counted = false;
    std::optional<Error> refusal{};  // of what was asked, unless the core finds an earlier reason
  };

  // A publish whose content is still coming.
  struct Content {
    enum class Stage : std::uint8_t { none, header, body };
    Stage stage = Stage::none;
    bool mandatory = false;
    std::string exchange;
    std::string key;
    std::uint64_t missing = 0;
    std::optional<broker::MessageBuilder> builder;  // none: refused, its body is dropped
    std::optional<Error> refusal;                   // raised once the content has been read
  };

  struct Transaction {
    struct Publish {
      broker::Message message;
      bool mandatory = false;
    };
    struct Settle {
      Unacked::Entry entry;
      broker::Disposition disposition = broker::Disposition::accept;
    };
    std::vector<Publish> publishes;
    std::vector<Settle> settles;
    std::uint64_t bytes = 0;
    bool failed = false;  // a queue refused a part of the commit
  };

  struct Checkpoint {
    Instant at;
    std::uint64_t last_tag = 0;
  };

  // ---- methods, one each; channel.close and close-ok are the session's
  Checked on(const ChannelFlow& method, Chain& out);
  Checked on(const AccessRequest& method, Chain& out);
  Checked on(const ConfirmSelect& method, Chain& out);
  Checked on(const ExchangeDeclare& method, Chain& out);
  Checked on(const ExchangeDelete& method, Chain& out);
  Checked on(const ExchangeBind& method, Chain& out);
  Checked on(const ExchangeUnbind& method, Chain& out);
  Checked on(const QueueDeclare& method, Chain& out);
  Checked on(const QueueDelete& method, Chain& out);
  Checked on(const QueuePurge& method, Chain& out);
  Checked on(const QueueBind& method, Chain& out);
  Checked on(const QueueUnbind& method, Chain& out);
  Checked on(const BasicPublish& method, Chain& out);
  Checked on(const BasicQos& method, Chain& out);
  Checked on(const BasicConsume& method, Chain& out);
  Checked on(const BasicCancel& method, Chain& out);
  Checked on(const BasicCancelOk& method, Chain& out);
  Checked on(const BasicGet& method, Chain& out);
  Checked on(const BasicAck& method, Chain& out);
  Checked on(const BasicNack& method, Chain& out);
  Checked on(const BasicReject& method, Chain& out);
  Checked on(const BasicRecover& method, Chain& out);
  Checked on(const BasicRecoverAsync& method, Chain& out);
  Checked on(const TxSelect& method, Chain& out);
  Checked on(const TxCommit& method, Chain& out);
  Checked on(const TxRollback& method, Chain& out);

  // ---- answers of the core, by what they carry
  Checked on_done(const Pending& asked, Chain& out);
  Checked on_answer(const Pending& asked, broker::Done& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::QueueDeclared& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::QueueDiffers& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::ExchangeDiffers& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::QueueDeleted& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::QueuePurged& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::Subscribed& answer, Chain& out);
  Checked on_answer(const Pending& asked, broker::Got& answer, Chain& out);
  Checked on_failure(const Pending& asked, const broker::Failure& failure, Chain& out);

  template <class M>
  void send(Chain& out, const M& method) {
    write_method(out, number_, method);
  }
  // Begins a request; the caller passes its id to the core.
  broker::RequestId ask(bool no_wait, std::string name = {});
  // The name, or the queue that was declared last when it is empty.
  Or<std::string> queue_name(std::string_view name) const;
  bool is_counted(std::string_view queue) const;
  bool may(broker::Verb verb, broker::Resource resource, std::string_view name) const;
  // Values are looked at before the core is asked, but RabbitMQ looks at them last: whichever of no
  // right, nothing of that name and `last` comes first.
  std::unexpected<Error> first_error(broker::Verb verb, broker::Resource resource,
                                     std::string_view name, Error last) const;

  // ---- channel_publish.cpp
  Checked check_header(const ContentHeader& header) const;
  Checked begin_message(const ContentHeader& header);
  Checked build_message(const ContentHeader& header);
  Checked check_exchange(std::string_view name) const;
  Checked finish_content(Chain& out);
  Or<bool> read_keys(const Properties& properties);
  Or<ByteVector> rewrite(Properties properties) const;
  Checked publish(const broker::Message& message, bool mandatory,
                  std::optional<broker::Token> receipt, Chain& out);
  Checked publish_refused(const broker::Failure& failure);
  Error publish_error(const broker::Failure& failure) const;
  std::unexpected<Error> get_not_allowed(const broker::Failure& failure);
  bool send_reply(const broker::Message& message);
  void send_return(const broker::Message& message, Chain& out);
  void add_confirm(std::uint32_t receipts, bool refused);
  broker::Token token(std::uint64_t number) const;

  // ---- channel_consume.cpp
  Checked consume_replies(const BasicConsume& method, Chain& out);
  Checked check_tag(std::string_view tag) const;
  Consumer* find_consumer(std::string_view tag) const;
  Credit credit_for(bool no_ack) const;
  void drop_reply_consumer();
  void drop_consumer(Consumer& consumer);
  bool over_limit(const broker::Delivery& delivery) const;
  std::uint64_t take_tag(const broker::Delivery& delivery);
  void write_delivery(const broker::Delivery& delivery, std::uint64_t tag, const Consumer& consumer,
                      Chain& out);

  // ---- channel_settle.cpp
  Checked settle(std::uint64_t tag, bool multiple, broker::Disposition disposition);
  void settle(const Unacked::Entry& entry, broker::Disposition disposition);
  Checked recover(bool requeue);

  // ---- channel_catalog.cpp
  Checked check_not_default(std::string_view exchange) const;
  Checked declare_refused(const QueueDeclare& method, const std::string& name, Error refusal);
  std::optional<Error> declared_differently(const Pending& asked) const;
  Checked declare_reply_queue(const QueueDeclare& method, std::string_view name, Chain& out);
  Or<broker::BindingSpec> binding(std::string_view source, broker::Resource kind,
                                  std::string_view destination, std::string_view key,
                                  Bytes arguments) const;
  Or<broker::BindingSpec> queue_binding(std::string_view queue, std::string_view exchange,
                                        std::string_view key, Bytes arguments) const;

  // ---- channel_tx.cpp
  Checked end_commit(Chain& out);

  Link& link_;
  const std::uint16_t number_;
  bool closing_ = false;
  bool confirming_ = false;
  bool listed_newsworthy_ = false;
  bool listed_relieved_ = false;
  MethodId current_method_ = 0;
  Pending pending_;
  Content content_;
  std::vector<broker::Key> keys_;  // of the message that is being begun
  ByteVector scratch_;

  std::string last_queue_;  // declared last
  boost::unordered_flat_map<std::string, std::unique_ptr<Consumer>> consumers_;
  std::unique_ptr<Consumer> reply_consumer_;
  std::string reply_key_;

  std::uint16_t prefetch_ = 0;  // for consumers to come; 0: no limit
  std::uint32_t limit_ = 0;     // of all consumers together; 0: none
  std::uint32_t held_ = 0;      // deliveries that the limit counts
  std::uint64_t last_tag_ = 0;
  Unacked unacked_;
  std::deque<Checkpoint> checkpoints_;

  const std::uint64_t token_base_;
  std::uint64_t tokens_used_ = 0;  // highest number that a token was made of
  Confirms confirms_;
  std::unique_ptr<Transaction> transaction_;
  std::uint32_t commit_receipts_ = 0;  // still to come for the commit in hand
};

}  // namespace wharf::amqp
