// Lane engine and target service in one process without Node.js, for ThreadSanitizer, over the provider that users have (tcp).
// Several threads play JavaScript, each with a mailbox of its own; closing happens on another, as the addon does it.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <random>
#include <thread>
#include <utility>

#include "../fuzz/native/stand-in/memory-file.h"
#include "lane-engine.h"
#include "mailbox.h"
#include "monotonic.h"
#include "service.h"

namespace {

using namespace rpmem;

constexpr size_t kPool = 1 << 20;
constexpr uint32_t kLanes = 4;
constexpr uint32_t kThreads = 3;
constexpr int kCalls = 12;
constexpr size_t kInline = 16 * 1024;
constexpr uint64_t kPatienceNs = 60'000 * kNsPerMs;

void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not true: %s\n", claim);
  std::_Exit(2);
}

struct Shape {
  Dialect dialect;
  bool apm;
  const char* granularity;
};

std::vector<std::string> Tokens(const Shape& shape) {
  std::vector<std::string> tokens;
  for (uint32_t lane = 0; shape.dialect == Dialect::kRpmem && lane < kLanes; ++lane)
    tokens.emplace_back(32, static_cast<char>('a' + lane));
  return tokens;
}

// A target and an initiator that are connected.
class Pair {
 public:
  explicit Pair(const Shape& shape)
      : source_(stand_in::MapMemoryFile(kPool, "PAGE")), pool_(stand_in::MapMemoryFile(kPool, shape.granularity)) {
    Listen(shape);
    Connect(shape);
  }

  LaneEngine& engine() { return *engine_; }
  Service& service() { return *service_; }
  Mapping& source() { return *source_; }
  const Mapping& pool() const { return *pool_; }
 private:
  void Listen(const Shape& shape) {
    ListenTerms terms{};
    terms.provider = ProviderName::kTcp;
    terms.address = "127.0.0.1";
    terms.memory = pool_;
    terms.size = kPool;
    terms.lanes = kLanes;
    terms.dialect = shape.dialect;
    terms.apm = shape.apm;
    terms.inline_size = kInline;
    terms.tokens = Tokens(shape);
    terms.peer_address = "127.0.0.1";
    terms.accept_timeout_ms = 60'000;
    terms.threads = 2;
    terms.spin_ns = 50'000;
    FabricError error;
    service_ = Service::Listen(std::move(terms), error);
    Require(service_ != nullptr, error.text.c_str());
    service_->Start([this](const FabricError& failure) { connected_.set_value(failure.text); });
  }

  void Connect(const Shape& shape) {
    ConnectTerms terms{};
    terms.provider = ProviderName::kTcp;
    terms.address = "127.0.0.1";
    terms.port = std::to_string(service_->port());
    terms.memory = source_;
    terms.size = kPool;
    terms.lanes = kLanes;
    terms.dialect = shape.dialect;
    terms.method = shape.apm ? PersistMethod::kApm : PersistMethod::kGpspm;
    terms.rkey = service_->rkey();
    terms.raddr = service_->raddr();
    terms.inline_size = kInline;
    terms.tokens = Tokens(shape);
    terms.connect_timeout_ms = 60'000;
    terms.work_queue_size = 64;
    FabricError error;
    // Off the thread that plays JavaScript, as the addon does it.
    std::thread([&] { engine_ = LaneEngine::Connect(std::move(terms), error); }).join();
    Require(engine_ != nullptr, error.text.c_str());
    Require(connected_.get_future().get().empty(), "every lane is connected");
    engine_->Start();
  }

  std::shared_ptr<Mapping> source_;
  std::shared_ptr<Mapping> pool_;
  std::promise<std::string> connected_;
  std::shared_ptr<Service> service_;
  std::shared_ptr<LaneEngine> engine_;
};

// One JavaScript thread's use of the lanes.
class Caller {
 public:
  explicit Caller(LaneEngine& engine)
      : engine_(engine), mailbox_(std::make_shared<Mailbox>(kLanes, [this] { ++told_; }, [this] { ++lost_; })) {
    engine_.Join(mailbox_);
  }
  ~Caller() {
    engine_.Leave(mailbox_);
    mailbox_->Close();
  }

  Operation& Fresh(OperationKind kind, uint32_t lane, const Range& range) {
    Operation& operation = kept_.emplace_back();
    operation.kind = kind;
    operation.lane = lane;
    operation.begun_ns = NowNs();
    operation.patience_ns = kPatienceNs;
    operation.mailbox = mailbox_;
    operation.ranges.push_back(range);
    return operation;
  }

  void AwaitTold(size_t due) {
    std::vector<Operation*> done;
    for (size_t taken = 0; taken < due; std::this_thread::yield()) {
      mailbox_->TakeDone(done);
      taken += done.size();
      done.clear();
    }
  }

  const std::deque<Operation>& kept() const { return kept_; }
  int lost() const { return lost_.load(); }

 private:
  LaneEngine& engine_;
  std::deque<Operation> kept_;
  std::atomic<int> told_{0};
  std::atomic<int> lost_{0};
  std::shared_ptr<Mailbox> mailbox_;
};

Range Somewhere(std::mt19937& random) {
  size_t length = random() % 8 == 0 ? random() % 100'000 : random() % 500;
  return {random() % (kPool - length), length, random() % 4 == 0, random() % 16 == 0, false};
}

// Synchronous calls, promises, drains and reads in turn, while counters are looked at.
void Traffic(Pair& pair, uint32_t seed, int rounds) {
  std::mt19937 random(seed);
  Caller caller(pair.engine());
  for (int round = 0; round < rounds; ++round) {
    size_t due = 0;
    for (int n = 0; n < kCalls; ++n) {
      auto kind = random() % 6 == 0 ? OperationKind::kDrain : OperationKind::kPersist;
      Operation& operation = caller.Fresh(kind, random() % kLanes, Somewhere(random));
      if (random() % 2 == 0) {
        pair.engine().RunSync(operation);
        Require(operation.status == kDone, "a persist is done");
        continue;
      }
      due += pair.engine().Watch(operation);
      pair.engine().Begin(operation);
      if (random() % 3 == 0) caller.AwaitTold(std::exchange(due, 0));
      pair.service().counters().messages.load();
    }
    caller.AwaitTold(due);
    uint8_t into[300];
    Operation& read = caller.Fresh(OperationKind::kRead, random() % kLanes, {random() % (kPool - sizeof(into)), sizeof(into)});
    read.into = into;
    pair.engine().RunSync(read);
    Require(read.status == kDone, "a read is done");
  }
  Require(caller.lost() == 0, "nothing was lost");
}

template <typename Body>
void InThreads(Body body) {
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; ++thread) threads.emplace_back([=] { body(thread); });
  for (auto& thread : threads) thread.join();
}

// Either end is closed while operations are under way: each of them ends.
void CloseUnderTraffic(const Shape& shape, bool target_first, uint32_t seed) {
  Pair pair(shape);
  std::atomic<int> begun{0};
  std::thread closing([&] {
    while (begun.load() < 20) std::this_thread::yield();
    target_first ? pair.service().Close() : pair.engine().Close();
  });
  InThreads([&](uint32_t thread) {
    std::mt19937 random(seed + thread);
    Caller caller(pair.engine());
    size_t due = 0;
    for (int n = 0; n < 60; ++n, ++begun) {
      Operation& operation = caller.Fresh(OperationKind::kPersist, random() % kLanes, Somewhere(random));
      if (n % 3 == 0) {
        pair.engine().RunSync(operation);
      } else {
        due += pair.engine().Watch(operation);
        pair.engine().Begin(operation);
      }
    }
    caller.AwaitTold(due);
    for (const Operation& operation : caller.kept()) Require(operation.finished(), "every operation ends");
  });
  closing.join();
  pair.engine().Close();
  pair.service().Close();
}

int Run(const char* name, const Shape& shape, uint32_t seed, int rounds) {
  {
    Pair pair(shape);
    InThreads([&](uint32_t thread) { Traffic(pair, seed + thread, rounds); });
    pair.engine().Close();
    pair.service().Close();
  }
  CloseUnderTraffic(shape, false, seed);
  CloseUnderTraffic(shape, true, seed);
  std::printf("ok - %s\n", name);
  return static_cast<int>(kThreads) * (rounds * (kCalls + 1) + 2 * 60);
}

}  // namespace

// lanes SEED ROUNDS; the last line is the number of operations.
int main(int argc, char** argv) {
  LibFabric::PrepareEnvironment();
  uint32_t seed = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 20;
  int operations = 0;
  operations += Run("rpmem, page cache", {Dialect::kRpmem, false, "PAGE"}, seed, rounds);
  operations += Run("rpmem, cache lines", {Dialect::kRpmem, false, "CACHE_LINE"}, seed, rounds);
  operations += Run("rpmem, APM", {Dialect::kRpmem, true, "CACHE_LINE"}, seed, rounds);
  operations += Run("pmdk, page cache", {Dialect::kPmdk, false, "PAGE"}, seed, rounds);
  std::printf("%d\n", operations);
  return 0;
}
