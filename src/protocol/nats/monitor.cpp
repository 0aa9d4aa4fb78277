#include "protocol/nats/monitor.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "protocol/nats/census.h"
#include "wire/escape.h"

namespace wharf::nats {

namespace {

constexpr std::string_view json_type = "application/json";

// An object, field by field.
class JsonObject {
 public:
  void raw(std::string_view name, std::string_view value) {
    text_ += text_.size() > 1 ? ",\"" : "\"";
    ((text_ += name) += "\":") += value;
  }
  void text(std::string_view name, std::string_view value) {
    raw(name, '"' + escaped(value, Escape::json_string) + '"');
  }
  template <std::integral Int>
  void number(std::string_view name, Int value) {
    raw(name, std::to_string(value));
  }
  void flag(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  std::string take() { return std::move(text_) + '}'; }

 private:
  std::string text_ = "{";
};

std::string moment_text(WallTime time) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  auto seconds = static_cast<std::time_t>(ms / 1000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms % 1000);
}

// As nats-server has it: 1y2d3h4m5s, from the first that is not zero.
std::string duration_text(WallTime from, WallTime to) {
  auto seconds = std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::seconds>(to - from).count());
  std::string text;
  auto part = [&](std::int64_t size, char unit) {
    std::int64_t count = seconds / size;
    seconds %= size;
    if (count > 0 || !text.empty()) text += std::to_string(count) + unit;
  };
  part(365 * 86'400, 'y');
  part(86'400, 'd');
  part(3600, 'h');
  part(60, 'm');
  return text + std::to_string(seconds) + 's';
}

std::int64_t nanoseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

std::uint64_t read(const std::atomic<std::uint64_t>& value) {
  return value.load(std::memory_order_relaxed);
}

struct Sums {
  std::uint64_t in_messages = 0, in_bytes = 0, out_messages = 0, out_bytes = 0;
  std::uint64_t subscriptions = 0;
};

Sums sums_of(const Census& census, const std::vector<Census::Shown>& all) {
  Sums sums{read(census.gone_in_messages), read(census.gone_in_bytes),
            read(census.gone_out_messages), read(census.gone_out_bytes), 0};
  for (const Census::Shown& each : all) {
    sums.in_messages += read(each.counters->in_messages);
    sums.in_bytes += read(each.counters->in_bytes);
    sums.out_messages += read(each.counters->out_messages);
    sums.out_bytes += read(each.counters->out_bytes);
    sums.subscriptions += read(each.counters->subscriptions);
  }
  return sums;
}

void add_process(JsonObject& page, WallTime start, WallTime now) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  double used = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  double lived = std::max(std::chrono::duration<double>(now - start).count(), 0.001);
  page.number("mem", usage.ru_maxrss * 1024);
  page.number("cores", std::thread::hardware_concurrency());
  page.number("gomaxprocs", std::thread::hardware_concurrency());
  page.raw("cpu", fmt::format("{:.1f}", 100 * used / lived));
}

std::string varz(const NatsServer& server, WallTime now) {
  const Census& census = server.census;
  const NatsOptions& options = server.options;
  std::vector<Census::Shown> all = census.connections();
  Sums sums = sums_of(census, all);
  JsonObject page;
  page.text("server_id", server.id);
  page.text("server_name", options.server_name);
  page.text("version", options.version);
  page.number("proto", 1);
  page.text("go", "");
  page.text("host", options.host);
  page.number("port", options.port);
  page.flag("auth_required", options.no_auth_user.empty());
  page.flag("tls_required", options.tls == TlsOffer::required);
  page.flag("tls_verify", options.tls_verify);
  page.number("max_connections", options.connections_max);
  page.number("ping_interval", nanoseconds(options.ping_interval));
  page.number("ping_max", options.ping_max);
  page.number("auth_timeout", nanoseconds(options.auth_timeout) / 1'000'000'000);
  page.number("max_control_line", options.max_control_line);
  page.number("max_payload", options.max_payload);
  page.number("max_pending", options.max_pending);
  page.number("write_deadline", nanoseconds(options.write_deadline));
  for (const char* name : {"cluster", "gateway", "leaf", "mqtt", "websocket", "jetstream"}) {
    page.raw(name, "{}");
  }
  page.text("start", moment_text(census.start()));
  page.text("now", moment_text(now));
  page.text("uptime", duration_text(census.start(), now));
  page.text("config_load_time", moment_text(census.start()));
  add_process(page, census.start(), now);
  page.number("connections", all.size());
  page.number("total_connections", read(census.total_connections));
  for (const char* name : {"routes", "remotes", "leafnodes"}) page.number(name, 0);
  page.number("in_msgs", sums.in_messages);
  page.number("out_msgs", sums.out_messages);
  page.number("in_bytes", sums.in_bytes);
  page.number("out_bytes", sums.out_bytes);
  page.number("slow_consumers", read(census.slow_consumers));
  page.number("stale_connections", read(census.stale_connections));
  page.number("stalled_clients", read(census.stalled_clients));
  page.number("subscriptions", sums.subscriptions);
  page.raw("slow_consumer_stats",
           fmt::format("{{\"clients\":{},\"routes\":0,\"gateways\":0,\"leafs\":0}}",
                       read(census.slow_consumers)));
  page.raw("http_req_stats", "{}");
  return page.take();
}

std::string connection_entry(const Census::Shown& shown, WallTime now) {
  const ConnectionFacts& facts = *shown.facts;
  const ConnectionCounters& counters = *shown.counters;
  WallTime active(std::chrono::milliseconds(counters.last_activity_ms.load()));
  JsonObject entry;
  entry.number("cid", facts.id);
  entry.text("kind", "Client");
  entry.text("type", facts.websocket ? "websocket" : "nats");
  entry.text("ip", facts.ip);
  entry.number("port", facts.port);
  entry.text("start", moment_text(facts.start));
  entry.text("last_activity", moment_text(active));
  if (std::int64_t rtt = counters.rtt_us.load()) entry.text("rtt", std::to_string(rtt) + "µs");
  entry.text("uptime", duration_text(facts.start, now));
  entry.text("idle", duration_text(active, now));
  entry.number("pending_bytes", read(counters.pending_bytes));
  entry.number("in_msgs", read(counters.in_messages));
  entry.number("out_msgs", read(counters.out_messages));
  entry.number("in_bytes", read(counters.in_bytes));
  entry.number("out_bytes", read(counters.out_bytes));
  entry.number("subscriptions", read(counters.subscriptions));
  if (!facts.name.empty()) entry.text("name", facts.name);
  if (!facts.lang.empty()) entry.text("lang", facts.lang);
  if (!facts.version.empty()) entry.text("version", facts.version);
  if (facts.tls) entry.text("tls_version", "1.3");
  entry.text("authorized_user", facts.user);
  entry.text("account", "$G");
  return entry.take();
}

std::uint64_t number_of(const http::Request& request, std::string_view name,
                        std::uint64_t otherwise) {
  std::optional<std::string> text = request.parameter(name);
  std::uint64_t value = otherwise;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

// The largest first, but for those that count up by themselves.
void sort_connections(std::vector<Census::Shown>& all, std::string_view by) {
  auto key = [by](const Census::Shown& shown) -> std::uint64_t {
    const ConnectionCounters& counters = *shown.counters;
    if (by == "subs") return ~read(counters.subscriptions);
    if (by == "pending") return ~read(counters.pending_bytes);
    if (by == "msgs_to") return ~read(counters.out_messages);
    if (by == "msgs_from") return ~read(counters.in_messages);
    if (by == "bytes_to") return ~read(counters.out_bytes);
    if (by == "bytes_from") return ~read(counters.in_bytes);
    if (by == "rtt") return ~static_cast<std::uint64_t>(counters.rtt_us.load());
    if (by == "last") return ~static_cast<std::uint64_t>(counters.last_activity_ms.load());
    if (by == "idle") return static_cast<std::uint64_t>(counters.last_activity_ms.load());
    return shown.facts->id;
  };
  // Counters move while they are sorted, so each is read once.
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < all.size(); ++i) order.emplace_back(key(all[i]), i);
  std::ranges::sort(order);
  std::vector<Census::Shown> sorted;
  for (const auto& [unused, index] : order) sorted.push_back(std::move(all[index]));
  all = std::move(sorted);
}

std::string connz(const NatsServer& server, const http::Request& request, WallTime now) {
  constexpr std::uint64_t limit_default = 1024;
  std::vector<Census::Shown> all = server.census.connections();
  if (request.parameter("state") == "closed") all.clear();
  if (std::uint64_t id = number_of(request, "cid", 0)) {
    std::erase_if(all, [&](const Census::Shown& shown) { return shown.facts->id != id; });
  }
  sort_connections(all, request.parameter("sort").value_or("cid"));
  std::uint64_t limit = number_of(request, "limit", limit_default);
  std::uint64_t offset = std::min<std::uint64_t>(number_of(request, "offset", 0), all.size());
  std::uint64_t end = offset + std::min<std::uint64_t>(limit, all.size() - offset);
  std::string entries;
  for (std::uint64_t i = offset; i < end; ++i) {
    entries += (entries.empty() ? "" : ",") + connection_entry(all[i], now);
  }
  JsonObject page;
  page.text("server_id", server.id);
  page.text("now", moment_text(now));
  page.number("num_connections", end - offset);
  page.number("total", all.size());
  page.number("offset", offset);
  page.number("limit", limit);
  page.raw("connections", "[" + entries + "]");
  return page.take();
}

std::string subsz(const NatsServer& server, WallTime now) {
  Sums sums = sums_of(server.census, server.census.connections());
  JsonObject page;
  page.text("server_id", server.id);
  page.text("now", moment_text(now));
  page.number("num_subscriptions", sums.subscriptions);
  for (const char* name : {"num_cache", "num_inserts", "num_removes", "num_matches",
                           "cache_hit_rate", "max_fanout", "avg_fanout"}) {
    page.number(name, 0);
  }
  return page.take();
}

// Pages of what there is none of.
std::string empty_page(const NatsServer& server, WallTime now, std::string_view rest) {
  JsonObject page;
  page.text("server_id", server.id);
  page.text("now", moment_text(now));
  return page.take().insert(1, rest);
}

constexpr std::string_view index_page =
    "<html><head><title>NATS</title></head><body><a href=\"varz\">General</a><br/>"
    "<a href=\"connz\">Connections</a><br/><a href=\"subsz\">Subscriptions</a><br/>"
    "<a href=\"accountz\">Accounts</a><br/><a href=\"routez\">Routes</a><br/>"
    "<a href=\"healthz\">Health</a></body></html>";

std::optional<std::string> json_page(const NatsServer& server, const http::Request& request,
                                     WallTime now) {
  std::string_view path = request.path();
  if (path == "/varz") return varz(server, now);
  if (path == "/connz") return connz(server, request, now);
  if (path == "/subsz" || path == "/subscriptionsz") return subsz(server, now);
  if (path == "/healthz") return R"({"status":"ok","status_code":200})";
  if (path == "/routez") return empty_page(server, now, R"("num_routes":0,"routes":[],)");
  if (path == "/leafz") return empty_page(server, now, R"("leafnodes":0,"leafs":[],)");
  if (path == "/accountz") {
    return empty_page(server, now, R"("system_account":"$SYS","accounts":["$G","$SYS"],)");
  }
  if (path == "/gatewayz") {
    return empty_page(server, now, R"("outbound_gateways":{},"inbound_gateways":{},)");
  }
  if (path == "/jsz") {
    return empty_page(server, now,
                      R"("disabled":true,"config":{},"memory":0,"storage":0,)"
                      R"("streams":0,"consumers":0,"messages":0,"bytes":0,)");
  }
  return std::nullopt;
}

// GETs, one after the other.
class MonitorSession final : public ByteSession {
 public:
  MonitorSession(const NatsServer& server, broker::Core& core)
      : server_(server), core_(core), deadline_(core.clock().now() + idle_max) {}

  std::size_t on_bytes(Bytes input, Chain& out) override {
    std::size_t used = 0;
    while (!closing_) {
      Result<std::optional<http::Request>> request = http::read_request(input.subspan(used));
      if (!request) {
        answer(out, "400 Bad Request", {"text/plain", "bad request\n"}, false);
        break;
      }
      if (!*request) return used;
      used += (*request)->size;
      serve(**request, out);
    }
    return input.size();
  }
  void on_wake(Chain&) override {}
  void on_deadline(Instant, Chain&) override { closing_ = true; }
  std::optional<Instant> next_deadline() const override { return deadline_; }
  bool wants_input() const override { return true; }
  bool closing() const override { return closing_; }
  void on_closed() override {}
  void on_shutdown(Chain&) override { closing_ = true; }

 private:
  static constexpr Duration idle_max = std::chrono::seconds(30);

  void serve(const http::Request& request, Chain& out) {
    deadline_ = core_.clock().now() + idle_max;
    bool keep = request.keep_alive && !request.has_body;
    if (request.has_body || (request.method != "GET" && request.method != "HEAD")) {
      return answer(out, "405 Method Not Allowed", {"text/plain", "only GET\n"}, false);
    }
    std::optional<Page> page = make_page(server_, request, core_.clock().wall());
    if (!page) return answer(out, "404 Not Found", {"text/plain", "404 page not found\n"}, keep);
    answer(out, "200 OK", *page, keep, request.method == "HEAD");
  }
  void answer(Chain& out, std::string_view status, const Page& page, bool keep,
              bool head_only = false) {
    std::string text = http::write_response(status, page.content_type, page.body, keep);
    if (head_only) text.resize(text.size() - page.body.size());
    out.append(bytes_of(text));
    closing_ = !keep;
  }

  const NatsServer& server_;
  broker::Core& core_;
  Instant deadline_;
  bool closing_ = false;
};

}  // namespace

std::optional<Page> make_page(const NatsServer& server, const http::Request& request,
                              WallTime now) {
  if (request.path() == "/") return Page{"text/html", std::string(index_page)};
  std::optional<std::string> body = json_page(server, request, now);
  if (!body) return std::nullopt;
  std::optional<std::string> callback = request.parameter("callback");
  if (!callback) return Page{json_type, std::move(*body)};
  // A name of a function and nothing else: what the caller sends is run in a browser.
  bool sound = std::ranges::all_of(*callback, [](char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == '.' || byte == '$';
  });
  if (!sound) return Page{json_type, std::move(*body)};
  return Page{"application/javascript", *callback + "(" + *body + ")"};
}

std::unique_ptr<ByteSession> make_monitor_session(const NatsServer& server, broker::Core& core) {
  return std::make_unique<MonitorSession>(server, core);
}

}  // namespace wharf::nats
