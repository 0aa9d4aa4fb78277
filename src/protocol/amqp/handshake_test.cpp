// Before a connection is open: greeting, login, tuning, and how those who are refused are treated.
#include "protocol/amqp/handshake.h"

#include <gmock/gmock.h>

#include "protocol/amqp/testing.h"

namespace wharf::amqp {
namespace {

using namespace std::literals;
using testing::Client;
using ::testing::ElementsAre;
using testing::FakeCore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Handshake : public ::testing::Test {
 protected:
  void start(Client& who, std::string_view mechanism, std::string_view response, bool able = true) {
    who.bytes(greeting_0_9_1);
    EXPECT_THAT(who.one(), StartsWith("0 connection.start(version_major=0 version_minor=9"));
    TableWriter capabilities;
    capabilities.add("authentication_failure_close", able);
    TableWriter properties;
    properties.add("capabilities", capabilities.view());
    who.send(0, ConnectionStartOk{.client_properties = properties.bytes(),
                                  .mechanism = mechanism,
                                  .response = bytes_of(response),
                                  .locale = "en_US"});
  }
  void expect_silent_end(Client& who) {
    EXPECT_FALSE(who.session->closing());
    who.send(0, ConnectionOpen{.virtual_host = "/"});
    EXPECT_THAT(who.take(), IsEmpty());
    who.pass(3s);
    EXPECT_TRUE(who.session->closing());
  }

  FakeCore core;
  Client client{core};
};

TEST_F(Handshake, WrongGreetingIsAnsweredWithOurs) {
  for (std::string_view greeting :
       {"AMQP\0\1\0\0"sv, "AMQP\3\1\0\0"sv, "AMQP\1\1\x08\0"sv, "GET / HTTP/1.1\r\n"sv}) {
    Client stranger(core);
    stranger.bytes(bytes_of(greeting));
    EXPECT_EQ(stranger.one(), "greeting");
    EXPECT_TRUE(stranger.session->closing());
  }
}

TEST_F(Handshake, Version0_9IsSpokenToo) {
  client.bytes(bytes_of("AMQP\1\1\0\x09"sv));
  EXPECT_THAT(client.one(), StartsWith("0 connection.start("));
}

TEST_F(Handshake, PlainAndAmqplain) {
  start(client, "PLAIN", "\0guest\0guest"sv);
  EXPECT_EQ(client.one(), "0 connection.tune(channel_max=2047 frame_max=131072 heartbeat=60)");
  Client second(core);
  TableWriter login;
  login.add("LOGIN", "guest"sv);
  login.add("PASSWORD", "guest"sv);
  start(second, "AMQPLAIN", text_of(login.bytes()));
  EXPECT_THAT(second.one(), StartsWith("0 connection.tune("));
}

TEST_F(Handshake, ExternalNeedsACertificate) {
  start(client, "EXTERNAL", "");
  expect_silent_end(client);
  Client second(core, {}, testing::peer_named("cert"));
  start(second, "EXTERNAL", "");
  EXPECT_THAT(second.one(), StartsWith("0 connection.tune("));
}

TEST_F(Handshake, ExternalOverTlsWithoutACertificateIsABadLogin) {
  Peer peer = testing::peer_named();
  peer.tls = true;
  Client second(core, {}, peer);
  start(second, "EXTERNAL", "");
  EXPECT_THAT(second.one(), StartsWith("0 connection.close(reply_code=403"));
}

TEST_F(Handshake, BadLoginIsToldToThoseWhoAsked) {
  start(client, "PLAIN", "\0guest\0wrong"sv);
  EXPECT_EQ(client.one(),
            "0 connection.close(reply_code=403 reply_text=\"ACCESS_REFUSED - Login was refused "
            "using authentication mechanism PLAIN. For details see the broker logfile.\" "
            "class_id=0 method_id=0)");
  expect_silent_end(client);
  Client second(core);
  start(second, "PLAIN", "\0guest\0wrong"sv, false);
  expect_silent_end(second);
}

TEST_F(Handshake, UnknownMechanismAndBadResponsesGetSilence) {
  const std::pair<std::string_view, std::string_view> tries[] = {
      {"SCRAM-SHA-256", "x"}, {"PLAIN", "x\0guest\0guest"sv}, {"PLAIN", ""}, {"AMQPLAIN", "zzz"}};
  for (auto [mechanism, response] : tries) {
    Client stranger(core);
    start(stranger, mechanism, response);
    expect_silent_end(stranger);
  }
}

TEST_F(Handshake, TuneIsChecked) {
  struct Try {
    ConnectionTuneOk answer;
    const char* text;
  };
  const Try tries[] = {
      {{.channel_max = 0, .frame_max = 131072},
       "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"},
      {{.channel_max = 2048, .frame_max = 131072},
       "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"},
      {{.channel_max = 1, .frame_max = 0},
       "negotiated frame_max = 0 is higher than the maximum allowed value (131072)"},
      {{.channel_max = 1, .frame_max = 4095},
       "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"}};
  for (const Try& item : tries) {
    Client stranger(core);
    start(stranger, "PLAIN", "\0guest\0guest"sv);
    stranger.take();
    stranger.send(0, item.answer);
    EXPECT_EQ(stranger.one(), "0 connection.close(reply_code=530 reply_text=\"NOT_ALLOWED - "s +
                                  item.text + "\" class_id=10 method_id=30)");
  }
}

TEST_F(Handshake, VhostIsChecked) {
  const std::pair<const char*, const char*> tries[] = {
      {"nowhere", "vhost nowhere not found"},
      {"", "vhost  not found"},
      {"closed", "access to vhost 'closed' refused for user 'guest'"}};
  for (auto [vhost, text] : tries) {
    Client stranger(core);
    start(stranger, "PLAIN", "\0guest\0guest"sv);
    stranger.send(0, ConnectionTuneOk{.channel_max = 10, .frame_max = 131072});
    stranger.take();
    stranger.send(0, ConnectionOpen{.virtual_host = vhost});
    EXPECT_EQ(stranger.one(), "0 connection.close(reply_code=530 reply_text=\"NOT_ALLOWED - "s +
                                  text + "\" class_id=10 method_id=40)");
    stranger.send(0, ConnectionCloseOk{});
    EXPECT_TRUE(stranger.session->closing());
  }
}

TEST_F(Handshake, FramesAreSmallBeforeTune) {
  start(client, "PLAIN", std::string(20000, 'x'));
  expect_silent_end(client);
}

TEST_F(Handshake, ChannelsWaitForOpen) {
  start(client, "PLAIN", "\0guest\0guest"sv);
  client.send(0, ConnectionTuneOk{.channel_max = 10, .frame_max = 131072});
  client.take();
  client.send(1, ChannelOpen{});
  EXPECT_THAT(client.one(), StartsWith("0 connection.close(reply_code=505"));
}

TEST_F(Handshake, SlowClientsAreDropped) {
  client.bytes(greeting_0_9_1);
  client.take();
  client.pass(9s);
  EXPECT_FALSE(client.session->closing());
  client.pass(1s);
  EXPECT_TRUE(client.session->closing());
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST_F(Handshake, ServerPropertiesAreWhatClientsLookFor) {
  ByteVector bytes = server_properties({});
  Result<TableView> table = TableView::parse(bytes);
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(print(*table), HasSubstr("\"product\": S \"RabbitMQ\""));
  EXPECT_THAT(print(*table), HasSubstr("\"version\": S \"4.2.0\""));
  EXPECT_THAT(print(*table), HasSubstr("\"publisher_confirms\": t true"));
  EXPECT_THAT(print(*table), HasSubstr("\"basic.nack\": t true"));
}

}  // namespace
}  // namespace wharf::amqp
