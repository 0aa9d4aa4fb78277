// server/broker_process.h: the broker as it runs: shards on their stores, loops on their threads,
// connections on their shards. Made, run and ended by the main thread.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/access.h"
#include "base/random.h"
#include "base/time.h"
#include "broker/shard.h"
#include "config/config.h"
#include "net/acceptor.h"
#include "net/connection_set.h"
#include "net/tls.h"
#include "runtime/loop.h"
#include "server/data_directory.h"
#include "server/protocols.h"
#include "storage/file_disk.h"

namespace wharf::server {

class BrokerProcess {
 public:
  explicit BrokerProcess(const config::Config& config);
  ~BrokerProcess();

  // Each returns an error for the operator.
  std::expected<void, std::string> open_stores();
  std::expected<void, std::string> open_listeners();
  // Starts the threads.
  void run();
  // No new connections, goodbye to the others, deliveries back to their queues, logs sealed.
  void stop();

 private:
  class ShardClient;
  class Observer;

  // A shard with all that is its own.
  struct Part {
    std::unique_ptr<storage::FileDisk> disk;
    std::unique_ptr<SecureRandom> random;
    std::unique_ptr<broker::Shard> shard;
    std::unique_ptr<net::ConnectionSet> connections;
    std::unique_ptr<ShardClient> client;
  };

  runtime::Loop& loop_of(std::size_t shard) { return *loops_[shard % loops_.size()]; }
  broker::ShardSetup setup_of(std::uint32_t index);
  std::expected<void, std::string> build_access();
  std::expected<void, std::string> open_shard(std::uint32_t index);
  std::uint64_t connections_max() const;
  void finish_mail();

  const config::Config& config_;
  SystemClock clock_;
  Protocols protocols_;
  std::shared_ptr<const auth::Access> access_;
  std::vector<std::unique_ptr<runtime::Loop>> loops_;
  std::optional<DataDirectory> directory_;
  std::unique_ptr<broker::ShardPost> post_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<net::TlsContext>> tls_;  // by entrance; none for plain ones
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::vector<std::thread> threads_;
};

}  // namespace wharf::server
