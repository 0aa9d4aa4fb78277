// Pages about connections that there are, and the byte stream inside WebSocket frames.
#include "protocol/nats/monitor.h"

#include <string>

#include <gtest/gtest.h>

#include "protocol/http/websocket.h"
#include "protocol/nats/testing.h"
#include "protocol/nats/websocket_session.h"

namespace wharf::nats {
namespace {

using testing::Client;
using testing::World;

std::string ask(World& world, std::string_view request) {
  auto session = make_monitor_session(world.server, world.broker.core());
  Chain out;
  session->on_bytes(bytes_of(request), out);
  session->on_closed();
  return out.flatten();
}

std::string get(World& world, std::string_view target) {
  std::string answer =
      ask(world, std::string("GET ").append(target).append(" HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST(NatsMonitor, CountsWhatHappened) {
  World world;
  Client& one = world.open(0, R"(,"name":"first","lang":"c++")");
  Client& two = world.open();
  world.say(one, "SUB a 1\r\n");
  world.say(two, "PUB a 3\r\nabc\r\nPUB a 3\r\nabc\r\n");
  std::string connections = get(world, "/connz?sort=msgs_to&limit=1");
  for (std::string_view part : {"\"num_connections\":1", "\"total\":2", "\"name\":\"first\"",
                                "\"out_msgs\":2", "\"out_bytes\":6", "\"subscriptions\":1"}) {
    EXPECT_NE(connections.find(part), std::string::npos) << part << connections;
  }
  one.hang_up();
  std::string server = get(world, "/varz");
  for (std::string_view part : {"\"connections\":1", "\"total_connections\":2", "\"in_msgs\":2",
                                "\"out_msgs\":2", "\"in_bytes\":6", "\"subscriptions\":0"}) {
    EXPECT_NE(server.find(part), std::string::npos) << part << server;
  }
}

TEST(NatsMonitor, PagesAndMistakes) {
  World world;
  EXPECT_EQ(get(world, "/healthz"), R"({"status":"ok","status_code":200})");
  EXPECT_EQ(get(world, "/healthz?callback=f").substr(0, 3), "f({");
  for (std::string_view path : {"/", "/routez", "/subsz", "/accountz", "/jsz", "/leafz"}) {
    EXPECT_FALSE(get(world, path).empty());
  }
  EXPECT_TRUE(ask(world, "GET /no HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(ask(world, "POST /varz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(ask(world, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_EQ(ask(world, "GET /varz HTTP/1.1\r\n"), "");
}

std::string masked(http::Opcode opcode, bool last, std::string_view payload) {
  std::string frame;
  frame += static_cast<char>((last ? 0x80 : 0) | static_cast<int>(opcode));
  frame += static_cast<char>(0x80 | payload.size());
  std::string mask = "\x11\x22\x33\x44";
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(payload[i] ^ mask[i % mask.size()]);
  }
  return frame;
}

class Carrying final : public SessionHost {
 public:
  void wake() override { woken = true; }
  std::size_t unsent_bytes() const override { return 0; }
  bool woken = false;
};

struct WebClient {
  explicit WebClient(World& the_world) : world(the_world) {
    auto inner = [this](SessionHost& inner_host, const Peer& peer) {
      return make_nats_session(world.server, world.broker.core(), inner_host, peer,
                               Carrier::websocket);
    };
    session = make_websocket_session(inner, world.broker.clock(), host, Peer{});
  }
  ~WebClient() { session->on_closed(); }
  std::string say(std::string_view bytes) {
    input += bytes;
    Chain out;
    for (int turn = 0; turn < 20; ++turn) {
      if (session->wants_input() && !session->closing()) {
        input.erase(0, session->on_bytes(bytes_of(input), out));
      }
      world.broker.turn();
      if (std::exchange(host.woken, false)) session->on_wake(out);
    }
    return out.flatten();
  }
  World& world;
  Carrying host;
  std::string input;
  std::unique_ptr<ByteSession> session;
};

constexpr std::string_view upgrade =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

TEST(NatsWebSocket, CarriesTheByteStream) {
  World world;
  WebClient client(world);
  std::string answer = client.say(upgrade);
  // The key and its answer are those of RFC 6455 section 1.3.
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x82"),
            std::string::npos);
  EXPECT_NE(answer.find("INFO {"), std::string::npos);
  client.say(masked(http::Opcode::binary, true, "CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPU"));
  EXPECT_EQ(
      client.say(masked(http::Opcode::text, false, "B a 2\r\nh") +
                 masked(http::Opcode::ping, true, "?") + masked(http::Opcode::more, true, "i\r\n")),
      "\x8a\x01?\x82\x0fMSG a 1 2\r\nhi\r\n");
  EXPECT_EQ(client.say(masked(http::Opcode::close, true, "\x03\xe8")), "\x88\x02\x03\xe8");
  EXPECT_TRUE(client.session->closing());
}

TEST(NatsWebSocket, EverySplit) {
  std::string conversation =
      std::string(upgrade) + masked(http::Opcode::binary, true, "SUB a 1\r\n") +
      masked(http::Opcode::ping, true, "") + masked(http::Opcode::binary, true, "PUB a 0\r\n\r\n");
  for (std::size_t at = 0; at <= conversation.size(); ++at) {
    World world;
    WebClient client(world);
    std::string got = client.say(conversation.substr(0, at));
    got += client.say(conversation.substr(at));
    ASSERT_NE(got.find("+OK\r\n"), std::string::npos) << at;
    ASSERT_NE(got.find("MSG a 1 0\r\n\r\n"), std::string::npos) << at;
  }
}

TEST(NatsWebSocket, RefusesWhatIsNoUpgrade) {
  World world;
  WebClient client(world);
  EXPECT_TRUE(client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(client.session->closing());
  WebClient other(world);
  other.say(upgrade);
  std::string unmasked = "\x82\x01x";
  EXPECT_EQ(other.say(unmasked), "\x88\x02\x03\xea");
}

}  // namespace
}  // namespace wharf::nats
