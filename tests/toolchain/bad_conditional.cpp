// Awaits on both sides of `?:`, over strings.
#include <string>

#include "task.h"

Task<std::string> text(char letter) { co_return std::string(60, letter); }

Task<std::string> caller(bool first) {
  std::string chosen = first ? co_await text('a') : co_await text('b');
  co_return chosen;
}

int main() {
  require(caller(true).run() == std::string(60, 'a'));
  require(caller(false).run() == std::string(60, 'b'));
}
