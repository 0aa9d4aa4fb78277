// The form in use: the lambda has a name, and is moved.
#include <functional>
#include <string>

#include "task.h"

Task<std::size_t> call(std::function<std::size_t()> work) { co_return work(); }

Task<std::size_t> caller() {
  std::string text = "long enough to be on the heap, not in the string itself";
  auto work = [text] { return text.size(); };
  std::size_t size = co_await call(std::move(work));
  co_return size;
}

int main() { require(caller().run() == 55); }
