// A lazy coroutine task in thirty lines, so that these programs judge the compiler and no library.
#pragma once

#include <coroutine>
#include <cstdlib>
#include <utility>

template <class T>
struct Task {
  struct promise_type {
    T value{};
    std::coroutine_handle<> caller;
    Task get_return_object() {
      return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Resume {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        std::coroutine_handle<> caller = done.promise().caller;
        return caller ? caller : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    Resume final_suspend() noexcept { return {}; }
    void return_value(T result) { value = std::move(result); }
    void unhandled_exception() { std::abort(); }
  };

  explicit Task(std::coroutine_handle<promise_type> made) : handle(made) {}
  Task(Task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  ~Task() {
    if (handle) handle.destroy();
  }

  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
    handle.promise().caller = caller;
    return handle;
  }
  T await_resume() { return std::move(handle.promise().value); }
  T run() {
    handle.resume();
    return std::move(handle.promise().value);
  }

  std::coroutine_handle<promise_type> handle;
};

inline void require(bool holds) {
  if (!holds) std::abort();
}
