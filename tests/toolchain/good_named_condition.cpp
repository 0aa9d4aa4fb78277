// The form in use: the awaited value has a name, and the condition reads it.
#include "task.h"

Task<bool> yes() { co_return true; }

Task<int> caller() {
  bool holds = co_await yes();
  if (holds) co_return 1;
  co_return 2;
}

int main() { require(caller().run() == 1); }
