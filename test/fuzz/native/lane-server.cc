// links: adapter lane-server provider mapping mapped-range page-sync dirty-pages store bus-guard page-tracking private-pages write-protect
//
// In-band messages at the target, in both dialects: a message that breaks the rules ends the lane and changes nothing; any
// other one changes exactly what it says, inside the pool, and is answered once.
//
// Input: a byte of options, then messages, each behind two bytes that say its length.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "lane-server.h"
#include "stand-in/memory-file.h"
#include "stand-in/stand-in-fabric.h"

namespace {

using namespace rpmem;

constexpr size_t kMapped = 3 * 4096;
constexpr size_t kPool = 2 * 4096 + 100;
constexpr size_t kInline = 256;
constexpr uint8_t kCanary = 0xa5;

void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not true: %s\n", claim);
  __builtin_trap();
}

// A number of the message, little-endian; what lies outside reads as nothing.
std::optional<uint64_t> Number(std::span<const uint8_t> message, size_t at, size_t size) {
  if (at > message.size() || message.size() - at < size) return {};
  uint64_t value = 0;
  for (size_t n = 0; n < size; ++n) value |= static_cast<uint64_t>(message[at + n]) << (8 * n);
  return value;
}

// What a message means, read anew from docs/protocol.md and not from the code under test.
struct Meaning {
  std::vector<std::pair<uint64_t, std::span<const uint8_t>>> writes;
  bool answered = true;
};

std::optional<Meaning> RpmemMeaning(std::span<const uint8_t> message, uint64_t sequence) {
  if (message.size() < 32 || Number(message, 0, 2) != 1u || Number(message, 8, 8) != sequence) return {};
  if (Number(message, 16, 8) != message.size()) return {};
  Meaning meaning;
  meaning.answered = (*Number(message, 2, 2) & 1) == 0;
  size_t at = 32;
  for (uint64_t left = *Number(message, 4, 4); left > 0; --left) {
    auto offset = Number(message, at, 8), length = Number(message, at + 8, 8), flags = Number(message, at + 16, 8);
    if (!flags) return {};
    if (*offset > kPool || *length > kPool - *offset) return {};
    at += 24;
    if ((*flags & 1) == 0) continue;
    if (*length > message.size() - at) return {};
    meaning.writes.emplace_back(*offset, message.subspan(at, *length));
    at = std::min(message.size(), at + (*length + 7) / 8 * 8);
  }
  return at == message.size() ? std::optional(meaning) : std::nullopt;
}

std::optional<Meaning> PmdkMeaning(std::span<const uint8_t> message, uint64_t raddr, uint32_t lanes) {
  if (message.size() < 24 || *Number(message, 4, 4) >= lanes) return {};
  uint64_t address = *Number(message, 8, 8), size = *Number(message, 16, 8);
  if (address < raddr || address - raddr > kPool || size > kPool - (address - raddr)) return {};
  Meaning meaning;
  if ((*Number(message, 0, 4) & 3) != 2) return meaning;
  if (size > kInline || message.size() - 24 != size) return {};
  meaning.writes.emplace_back(address - raddr, message.subspan(24));
  return meaning;
}

struct Options {
  bool pmdk, page_cache, dma, honest;
  explicit Options(uint8_t byte) : pmdk(byte & 1), page_cache(byte & 2), dma(byte & 4), honest(byte & 8) {}
};

// Numbers that no mutation guesses, so that what lies behind them is reached.
void PutRight(std::vector<uint8_t>& message, const Options& options, uint64_t sequence, uint64_t raddr) {
  if (!options.honest) return;
  if (!options.pmdk && message.size() >= 32) {
    Put<uint64_t>(message.data(), 8, sequence);
    Put<uint64_t>(message.data(), 16, message.size());
  } else if (options.pmdk && message.size() >= 24) {
    Put<uint64_t>(message.data(), 8, raddr + Get<uint64_t>(message.data(), 8));
  }
}

class Bed {
 public:
  explicit Bed(Options options) : options_(options), wire_(stand_in::Reset()), memory_(Memory(options.page_cache)) {
    std::fill_n(memory_.base(), kMapped, kCanary);
    expected_.assign(kMapped, kCanary);
    terms_ = {.dialect = options.pmdk ? Dialect::kPmdk : Dialect::kRpmem,
              .inline_size = kInline,
              .size = kPool,
              .raddr = reinterpret_cast<uint64_t>(memory_.base()),
              .lanes = 2,
              .memory = &memory_,
              .counters = &counters_,
              .wants_send_completions = true,
              .dma = options.dma};
    FabricError error;
    adapter_ = Adapter::Open(ProviderName::kTcp, {}, {}, error);
    auto* info = const_cast<fi_info*>(&adapter_->info());
    queue_ = adapter_->OpenQueue(8, error);
    lane_ = LaneServer::Open(terms_, 0, *adapter_, info, queue_.get(), error);
    Require(lane_ && lane_->Start() == 0, "a lane opens");
    lane_->Activate();
    wire_.on_send = [this](auto bytes) { answers_.emplace_back(bytes.begin(), bytes.end()); };
  }

  // False once the lane has ended.
  bool Deliver(std::vector<uint8_t> message) {
    PutRight(message, options_, sequence_ + 1, terms_.raddr);
    message.resize(std::min(message.size(), wire_.receives.front().buffer.size()));
    auto meaning = options_.pmdk ? PmdkMeaning(message, terms_.raddr, terms_.lanes) : RpmemMeaning(message, sequence_ + 1);
    answers_.clear();
    fi_cq_msg_entry entry = wire_.Arrive(message);
    lane_->OnCompletion(*static_cast<const LaneServer::Completion*>(entry.op_context), entry.len);
    Require(wire_.shut_down == !meaning, "a message that breaks the rules, and no other, ends the lane");
    if (meaning) Apply(*meaning);
    Require(answers_.size() == (meaning && meaning->answered ? 1 : 0), "a message is answered once, unless it is quiet");
    if (!answers_.empty()) CheckAnswer();
    Require(std::equal(expected_.begin(), expected_.end(), memory_.base()), "the pool holds what the messages say");
    return meaning.has_value();
  }

 private:
  // Mapped once: the same memory serves every input.
  static Mapping& Memory(bool page_cache) {
    static auto dax = stand_in::MapMemoryFile(kMapped, "CACHE_LINE");
    static auto page = stand_in::MapMemoryFile(kMapped, "PAGE");
    return page_cache ? *page : *dax;
  }

  void Apply(const Meaning& meaning) {
    ++sequence_;
    for (auto [offset, bytes] : meaning.writes) std::copy(bytes.begin(), bytes.end(), expected_.begin() + static_cast<ptrdiff_t>(offset));
  }

  void CheckAnswer() const {
    const auto& answer = answers_.front();
    if (options_.pmdk) return Require(answer.size() == 8 && Number(answer, 4, 4) == 0u, "the answer names the lane");
    Require(answer.size() == 24 && Number(answer, 0, 2) == 2u && Number(answer, 4, 4) == 0u, "the answer says done");
    Require(Number(answer, 8, 8) == sequence_, "the answer names the message");
  }

  Options options_;
  stand_in::Wire& wire_;
  Mapping& memory_;
  std::vector<uint8_t> expected_;
  ServiceCounters counters_;
  ServiceLaneTerms terms_{};
  std::unique_ptr<Adapter> adapter_;
  Owned<fid_cq> queue_;
  std::unique_ptr<LaneServer> lane_;
  std::vector<std::vector<uint8_t>> answers_;
  uint64_t sequence_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bed bed{Options(data[0])};
  std::span<const uint8_t> rest(data + 1, size - 1);
  for (bool open = true; open && rest.size() >= 2;) {
    size_t length = std::min<size_t>(rest[0] | rest[1] << 8, rest.size() - 2);
    std::span<const uint8_t> message = rest.subspan(2, length);
    rest = rest.subspan(2 + length);
    open = bed.Deliver({message.begin(), message.end()});
  }
  return 0;
}
