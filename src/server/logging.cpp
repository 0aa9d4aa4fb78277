#include "server/logging.h"

#include <memory>
#include <string>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "wire/escape.h"

namespace wharf::server {

namespace {

// The flag %* of a pattern: the message, escaped.
class EscapedMessage final : public spdlog::custom_flag_formatter {
 public:
  explicit EscapedMessage(Escape how) : how_(how) {}
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string text = escaped({message.payload.data(), message.payload.size()}, how_);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<EscapedMessage>(how_);
  }

 private:
  Escape how_;
};

}  // namespace

void set_up_log(const config::LogConfig& config) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("wharf"));
  spdlog::set_level(spdlog::level::from_str(config.level));
  bool json = config.format == config::LogFormat::json;
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<EscapedMessage>('*', json ? Escape::json_string : Escape::line);
  formatter->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%*"})"
                              : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %*");
  spdlog::set_formatter(std::move(formatter));
}

}  // namespace wharf::server
