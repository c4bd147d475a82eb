// links: adapter lane-engine lane-driving connector lane lane-sending mailbox operation-table wheel provider mapping mapped-range page-sync dirty-pages store bus-guard page-tracking private-pages write-protect
// smoke-runs: 40000
//
// Answers of a target at the initiator, in both dialects: one that is not due, or not as it has to be, ends the connection; an
// operation succeeds only after every message with a piece of it was answered so, and fails with the errno of the answer.
//
// Input: a byte of options, a byte that says how many operations, three bytes for each, then what the target does.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <vector>

#include "lane-engine.h"
#include "mailbox.h"
#include "monotonic.h"
#include "stand-in/memory-file.h"
#include "stand-in/stand-in-fabric.h"

namespace {

using namespace rpmem;

constexpr size_t kStride = 2048;
constexpr size_t kOperations = 6;
constexpr size_t kPool = kOperations * kStride;
constexpr size_t kInline = 256;
constexpr uint64_t kAddress = 0x7000'0000'0000;

void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not true: %s\n", claim);
  __builtin_trap();
}

// Bytes of the input; zeros behind its end.
class Script {
 public:
  explicit Script(std::span<const uint8_t> bytes) : rest_(bytes) {}
  bool over() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte;
  }

 private:
  std::span<const uint8_t> rest_;
};

struct Message {
  uint64_t sequence;
  bool quiet;
  std::vector<uint64_t> offsets;
  bool answered = false;
  int32_t status = 0;
};

// The target as docs/protocol.md has it, read anew and not from the code under test.
class Target {
 public:
  explicit Target(bool pmdk) : pmdk_(pmdk), memory_(kPool, 0) {}

  void Hear(std::span<const uint8_t> bytes) {
    Message message{messages_.size() + 1, false, {}};
    if (pmdk_) {
      Require(bytes.size() >= 24 && Get<uint32_t>(bytes.data(), 4) == 0, "a message of PMDK names its lane");
      bool carries = (Get<uint32_t>(bytes.data(), 0) & 3) == 2;
      Take(message, Get<uint64_t>(bytes.data(), 8) - kAddress, Get<uint64_t>(bytes.data(), 16), bytes.subspan(24), carries);
    } else {
      Require(bytes.size() >= 32 && Get<uint64_t>(bytes.data(), 8) == message.sequence, "messages are numbered");
      message.quiet = Get<uint16_t>(bytes.data(), 2) & 1;
      size_t at = 32;
      for (uint32_t left = Get<uint32_t>(bytes.data(), 4); left > 0; --left) {
        Require(at + 24 <= bytes.size(), "an entry lies in its message");
        const uint8_t* entry = bytes.data() + at;
        uint64_t length = Get<uint64_t>(entry, 8);
        bool carries = Get<uint32_t>(entry, 16) & 1;
        Take(message, Get<uint64_t>(entry, 0), length, bytes.subspan(at + 24), carries);
        at += 24 + (carries ? (length + 7) / 8 * 8 : 0);
      }
    }
    messages_.push_back(std::move(message));
  }

  void Place(uint64_t address, std::span<const uint8_t> bytes) {
    Require(address >= kAddress && bytes.size() <= kPool - (address - kAddress), "a write stays in the pool");
    std::copy(bytes.begin(), bytes.end(), At(address - kAddress));
    unfenced_.push_back(address - kAddress);
  }

  void Fill(const stand_in::Read& read) {
    std::copy_n(At(read.address - kAddress), read.buffer.size(), read.buffer.begin());
    unfenced_.clear();
  }

  Message* Due() {
    auto due = std::find_if(messages_.begin(), messages_.end(), [](const Message& m) { return !m.answered && !m.quiet; });
    return due == messages_.end() ? nullptr : &*due;
  }

  void Answered(Message& due, int32_t status) {
    for (Message& message : messages_) {
      if (message.answered) continue;
      message.answered = true;
      message.status = status;
      if (&message == &due) return;
    }
  }

  // What the answers say of the operation whose slot this is: the first that was not well.
  int32_t StatusOf(size_t slot) const {
    for (const Message& message : messages_) {
      bool concerned = std::any_of(message.offsets.begin(), message.offsets.end(), [&](uint64_t at) { return at / kStride == slot; });
      if (!concerned) continue;
      Require(message.answered, "nothing succeeds before it was answered");
      if (message.status != 0) return message.status;
    }
    Require(std::none_of(unfenced_.begin(), unfenced_.end(), [&](uint64_t at) { return at / kStride == slot && fences(); }),
            "a write without a message is done when a read behind it is");
    return 0;
  }

  const uint8_t* Content(size_t at) const { return memory_.data() + at; }
  bool apm = false;

 private:
  bool fences() const { return apm && messages_.empty(); }
  std::vector<uint8_t>::iterator At(uint64_t offset) { return memory_.begin() + static_cast<ptrdiff_t>(offset); }

  void Take(Message& message, uint64_t offset, uint64_t length, std::span<const uint8_t> data, bool carries) {
    Require(offset <= kPool && length <= kPool - offset, "a range lies in the pool");
    message.offsets.push_back(offset);
    if (!carries) return;
    Require(length <= data.size() && length <= kInline, "a message holds what it carries");
    std::copy_n(data.begin(), length, At(offset));
  }

  bool pmdk_;
  std::vector<uint8_t> memory_;
  std::vector<Message> messages_;
  std::vector<uint64_t> unfenced_;
};

class Bed {
 public:
  explicit Bed(Script script) : script_(script), options_(script_.Byte()), wire_(stand_in::Reset()), target_(pmdk()) {
    target_.apm = apm();
    wire_.on_send = [this](auto bytes) { target_.Hear(bytes); };
    wire_.on_write = [this](uint64_t address, auto bytes) { target_.Place(address, bytes); };
    ConnectTerms terms{};
    // The provider for which nobody polls before it sleeps.
    terms.provider = ProviderName::kSockets;
    terms.memory = Memory();
    terms.size = kPool;
    terms.lanes = 1;
    terms.dialect = pmdk() ? Dialect::kPmdk : Dialect::kRpmem;
    terms.method = apm() ? PersistMethod::kApm : PersistMethod::kGpspm;
    terms.raddr = kAddress;
    terms.inline_size = kInline;
    if (!pmdk()) terms.tokens.assign(1, std::string(32, 't'));
    terms.connect_timeout_ms = 1000;
    terms.work_queue_size = 64;
    FabricError error;
    engine_ = LaneEngine::Connect(std::move(terms), error);
    Require(engine_ != nullptr, "a lane connects");
    wire_.on_starve = [this] { return Feed(); };
    engine_->Join(mailbox_);
  }

  ~Bed() {
    engine_->Close();
    mailbox_->Close();
  }

  void Run() {
    size_t count = 1 + script_.Byte() % kOperations;
    for (size_t slot = 0; slot < count; ++slot) engine_->Begin(Fresh(slot));
    for (Operation& operation : operations_) {
      engine_->FinishSync(operation);
      Judge(operation);
    }
    Require(engine_->down() == ended_, "a wrong answer, and no other, ends the connection");
  }

 private:
  bool pmdk() const { return options_ & 1; }
  bool apm() const { return options_ & 2; }

  static std::shared_ptr<Mapping> Memory() {
    static auto memory = [] {
      auto made = stand_in::MapMemoryFile(kPool, "CACHE_LINE");
      for (size_t n = 0; n < kPool; ++n) made->base()[n] = static_cast<uint8_t>(n * 7 + n / 256 + 1);
      return made;
    }();
    return memory;
  }

  Operation& Fresh(size_t slot) {
    uint8_t kind = script_.Byte();
    size_t length = 1 + (script_.Byte() | script_.Byte() << 8) % kStride;
    Operation& operation = operations_.emplace_back();
    operation.kind = kind % 4 == 1 ? OperationKind::kDrain : kind % 4 == 2 ? OperationKind::kRead : OperationKind::kPersist;
    operation.begun_ns = NowNs();
    operation.mailbox = mailbox_;
    bool flushed = operation.kind == OperationKind::kDrain;
    operation.ranges.push_back({slot * kStride, length, (kind & 4) != 0, (kind & 8) != 0, flushed});
    if (operation.kind == OperationKind::kRead) {
      operation.bytes.assign(length, 0xee);
      operation.into = operation.bytes.data();
    }
    return operation;
  }

  // What the target does next; false when it has nothing more to say.
  bool Feed() {
    if (ended_ || script_.over()) {
      ended_ = true;
      return false;
    }
    uint8_t step = script_.Byte();
    if (step % 4 == 3)
      CompleteRead();
    else
      Answer(step % 4);
    return true;
  }

  void CompleteRead() {
    if (wire_.reads.empty()) return;
    stand_in::Read read = wire_.reads.front();
    wire_.reads.pop_front();
    target_.Fill(read);
    wire_.completions.push_back({read.context, FI_READ | FI_RMA, read.buffer.size()});
  }

  // 0: as it should be, 1: an errno, 2: bent.
  void Answer(int manner) {
    Message* due = target_.Due();
    std::vector<uint8_t> answer(pmdk() ? 8 : 24, 0);
    if (!pmdk()) {
      Put<uint16_t>(answer.data(), 0, 2);
      Put<uint64_t>(answer.data(), 8, due ? due->sequence : 1);
    }
    if (manner == 1 && !pmdk()) {
      Put<uint32_t>(answer.data(), 4, 1);
      Put<uint32_t>(answer.data(), 16, static_cast<uint32_t>(script_.Byte() | script_.Byte() << 24));
    }
    if (manner == 2) Bend(answer);
    if (due && Matches(answer, *due))
      target_.Answered(*due, StatusIn(answer));
    else
      ended_ = true;
    wire_.completions.push_back(wire_.Arrive(answer));
  }

  void Bend(std::vector<uint8_t>& answer) {
    uint8_t length = script_.Byte();
    if (length & 0x80) answer.resize(length % 64);
    for (uint8_t left = script_.Byte() % 8; left > 0 && !answer.empty(); --left) {
      size_t at = script_.Byte() % answer.size();
      answer[at] ^= script_.Byte();
    }
  }

  bool Matches(const std::vector<uint8_t>& answer, const Message& due) const {
    if (pmdk()) return answer.size() == 8;
    return answer.size() == 24 && Get<uint16_t>(answer.data(), 0) == 2 && Get<uint64_t>(answer.data(), 8) == due.sequence;
  }

  int32_t StatusIn(const std::vector<uint8_t>& answer) const {
    if (pmdk() || Get<uint32_t>(answer.data(), 4) == 0) return 0;
    return std::max(1, Get<int32_t>(answer.data(), 16));
  }

  void Judge(const Operation& operation) {
    Require(operation.finished(), "a call ends");
    if (operation.status < 0) return Require(engine_->down(), "what is lost is lost with its connection");
    const Range& range = operation.ranges.front();
    size_t slot = range.offset / kStride;
    if (operation.kind == OperationKind::kRead)
      return Require(std::equal(operation.bytes.begin(), operation.bytes.end(), target_.Content(range.offset)), "a read gives what is there");
    Require(operation.status == target_.StatusOf(slot), "an operation ends as its answers say");
    // What follows a failure may never have been sent.
    if (operation.status != 0) return;
    Require(std::equal(Memory()->base() + range.offset, Memory()->base() + range.offset + range.length, target_.Content(range.offset)),
            "what was confirmed has arrived");
  }

  Script script_;
  uint8_t options_;
  stand_in::Wire& wire_;
  Target target_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(1, [] {}, [] {});
  std::shared_ptr<LaneEngine> engine_;
  std::deque<Operation> operations_;
  bool ended_ = false;
};

}  // namespace

// The lane's buffers are large: in a long quarantine each would be new memory.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=1"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Bed(Script({data, size})).Run();
  return 0;
}
