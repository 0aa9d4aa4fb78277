// An await in the condition of an `if`, in a coroutine that declares no variable.
#include "task.h"

Task<bool> yes() { co_return true; }

Task<int> caller() {
  if (co_await yes()) co_return 1;
  co_return 2;
}

int main() { require(caller().run() == 1); }
