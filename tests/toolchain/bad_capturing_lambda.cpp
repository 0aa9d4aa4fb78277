// A temporary lambda that captures by value, inside an awaited expression, is destroyed twice.
#include <functional>
#include <string>

#include "task.h"

Task<std::size_t> call(std::function<std::size_t()> work) { co_return work(); }

Task<std::size_t> caller() {
  std::string text = "long enough to be on the heap, not in the string itself";
  std::size_t size = co_await call([text] { return text.size(); });
  co_return size;
}

int main() { require(caller().run() == 55); }
