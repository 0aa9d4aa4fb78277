// net/connection.h: one accepted socket and the session that speaks over it. Here stands all that
// is decided about a connection; the two coroutines of pump.h only wait for the socket.
//
// A turn of it: input is offered to the session as it comes; whatever touched the connection
// (input, a wake, a deadline, room to write) puts it on the list of the turn; at the turn's end
// finish_turn lets the session answer its wake, offers held input again, and writes all output at
// once.
//
//   handshaking -> open -> flushing -> lingering -> closed       (any state may go to closed)
//
// Invariant: the session exists exactly while the state is open; on_closed is called as it leaves.
// Shard: owner only. Memory: below 8 KiB when idle and plain, without what the session holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/ip/tcp.hpp>

#include "net/inbox.h"
#include "net/tls.h"
#include "net/workspace.h"
#include "wire/byte_session.h"

namespace wharf::net {

using SessionFactory = std::function<std::unique_ptr<ByteSession>(SessionHost&, const Peer&)>;

// What a listener offers: how to make a session, and whether TLS lies below it.
struct Service {
  SessionFactory make_session;
  const TlsContext* tls = nullptr;  // outlives all connections
  bool tls_on_request = false;      // TLS begins when the session asks for it
};

class Connection final : public SessionHost, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  // All four arguments but `socket` must outlive the connection. `on_closed` is called once, last.
  Connection(Workspace& workspace, const Service& service, Socket socket,
             std::function<void(Connection&)> on_closed);
  ~Connection() override;

  // Begins with the handshake or the session. REQUIRES: owned by a shared_ptr.
  void start();
  // The broker stops: the session says goodbye.
  void shutdown();
  // Ends at once, whatever is unsent.
  void close(EndReason reason);
  // The end of a turn that touched this connection.
  void finish_turn();
  // The timer of the workspace has fired.
  void on_timer();

  // SessionHost
  void wake() override;
  std::size_t unsent_bytes() const override;
  bool start_tls() override;

  // For the pumps: what to wait for, and that it has come.
  Socket& socket() { return socket_; }
  bool wants_readable() const;
  void on_readable();
  void on_read_pump_ended(bool failed);
  bool wants_writable() const;
  void on_writable();
  void on_write_pump_ended(bool failed);

 private:
  enum class State : std::uint8_t { handshaking, open, flushing, lingering, closed };

  void touch();
  void open_session();
  Chain& plain_output();
  Chain& socket_output();
  void begin_tls();
  // What comes of a handshake that is finished.
  void on_handshake_done();
  // Runs the handshake and decrypts; false when TLS has failed.
  bool on_ciphertext(Bytes ciphertext);
  void offer_input();
  void discard_input();
  void begin_flush(EndReason reason);
  void flush();
  // False when the socket takes no more.
  bool send_some(Chain& output);
  void on_flushed();
  void update_throttle();
  bool all_input_offered() const;
  std::optional<Instant> next_moment() const;
  void rearm();
  void run_pumps();

  Workspace& workspace_;
  const Service& service_;
  Socket socket_;
  std::function<void(Connection&)> on_closed_;
  Peer peer_;
  std::unique_ptr<TlsFilter> tls_;
  std::unique_ptr<ByteSession> session_;

  Inbox inbox_;
  std::unique_ptr<Chain> plain_;   // written by the session; null when empty
  std::unique_ptr<Chain> cipher_;  // behind the TLS filter; null when empty

  runtime::TimerId timer_;
  std::optional<Instant> timer_at_;
  Instant state_deadline_;  // of every state but open, and of a handshake
  State state_ = State::handshaking;
  EndReason reason_ = EndReason::lost;
  bool touched_ = false;     // on the list of this turn
  bool woken_ = false;       // the session is to have on_wake
  bool tls_asked_ = false;   // by the session, in a call that has not returned
  bool securing_ = false;    // open, and in the handshake that the session asked for
  bool peer_ended_ = false;  // no more input will come
  bool throttled_ = false;   // too much unsent output
  bool blocked_ = false;     // the socket took less than there was
  bool read_pump_runs_ = false;
  bool write_pump_runs_ = false;
};

}  // namespace wharf::net
