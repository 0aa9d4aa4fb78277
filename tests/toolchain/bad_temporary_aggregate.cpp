// A temporary aggregate inside an awaited expression is destroyed twice.
#include <string>

#include "task.h"

struct Named {
  std::string text;
  int number;
};

Task<std::size_t> measure(Named named) { co_return named.text.size(); }

Task<std::size_t> caller() {
  std::string text = "long enough to be on the heap, not in the string itself";
  std::size_t size = co_await measure(Named{text, 1});
  co_return size;
}

int main() { require(caller().run() == 55); }
