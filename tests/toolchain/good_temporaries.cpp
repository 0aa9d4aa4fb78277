// Fine: temporaries of classes with constructors, and awaiting in a return.
#include <memory>
#include <string>

#include "task.h"

Task<std::size_t> measure(std::string text, std::unique_ptr<int> number) {
  co_return text.size() + static_cast<std::size_t>(*number);
}

Task<std::size_t> caller() {
  co_return co_await measure(std::string(60, 'x'), std::make_unique<int>(5));
}

int main() { require(caller().run() == 65); }
