#include "bench/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace wharf::bench {

using namespace std::chrono_literals;

EventLoop::EventLoop(const Clock& clock) : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  // Sleeps end when they should: the usual slack of 50 us is much against a rate of 10000 a second.
  prctl(PR_SET_TIMERSLACK, 1UL);
}

EventLoop::~EventLoop() { close(epoll_); }

void EventLoop::add(Role& role) {
  watched_.push_back(std::make_unique<Watched>(Watched{&role, 0}));
  epoll_event event{};
  event.data.ptr = watched_.back().get();
  epoll_ctl(epoll_, EPOLL_CTL_ADD, role.fd(), &event);
}

void EventLoop::remove(Role& role) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, role.fd(), nullptr);
  std::erase_if(watched_, [&](const auto& watched) { return watched->role == &role; });
}

void EventLoop::set_tick(Duration interval, std::function<void()> tick) {
  tick_interval_ = interval;
  tick_ = std::move(tick);
  next_tick_ = clock_.now();
}

Try<void> EventLoop::turn(Instant deadline) {
  Instant wake = std::min(deadline, next_tick_);
  for (auto& watched : watched_) {
    watch(*watched);
    wake = std::min(wake, watched->role->next_due());
  }
  Duration wait = std::max(wake - clock_.now(), Duration{});
  timespec timeout{.tv_sec = wait / 1s, .tv_nsec = (wait % 1s).count()};
  std::array<epoll_event, 64> events;
  int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) return std::unexpected(system_error("epoll_pwait2"));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    Role& role = *static_cast<Watched*>(event.data.ptr)->role;
    if (Try<void> handled = handle(role, event.events); !handled) return handled;
  }
  return serve_due();
}

Try<void> EventLoop::serve_due() {
  Instant now = clock_.now();
  for (auto& watched : watched_) {
    if (watched->role->next_due() > now) continue;
    if (Try<void> sent = watched->role->on_writable(); !sent) return sent;
  }
  if (now >= next_tick_) {
    next_tick_ = now + tick_interval_;
    tick_();
  }
  return {};
}

Try<void> EventLoop::handle(Role& role, std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    if (Try<void> done = role.on_readable(); !done) return done;
  }
  if (events & EPOLLOUT) return role.on_writable();
  return {};
}

void EventLoop::watch(Watched& watched) {
  const Role& role = *watched.role;
  std::uint32_t wanted =
      (role.wants_to_read() ? EPOLLIN : 0u) | (role.wants_to_write() ? EPOLLOUT : 0u);
  if (watched.interest == wanted) return;
  watched.interest = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.ptr = &watched;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, role.fd(), &event);
}

}  // namespace wharf::bench
