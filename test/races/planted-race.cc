// Two threads that count without asking each other: a sanitizer that says nothing here says nothing at all.
#include <thread>

int main() {
  int count = 0;
  std::thread other([&] { ++count; });
  ++count;
  other.join();
  return count == 2 ? 0 : 1;
}
