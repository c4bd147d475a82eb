// A contiguous address range made of file pieces: the memory behind a replica. Shared by the JavaScript handle, the lanes
// that send from it and the service that writes into it; unmapped when the last of them lets go.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rpmem {

enum class DurabilityMethod { kDax, kMsync, kVolatile };

struct FilePiece {
  int fd;
  uint64_t offset;
  uint64_t length;
};

// Whether stores reach the files or stay with this mapping.
enum class Sharing { kShared, kPrivate };

struct CopyMode {
  bool flush = true;
  bool drain = true;
};

// Where and why an operation on memory failed; `code` is an errno.
struct MemoryError {
  int code = 0;
  std::string what;
};

class MappedRange;
class PageTracking;
enum class TrackingMethod;
struct MappedPiece;

class Mapping {
 public:
  // `reservation` as for MappedRange::Map.
  static std::shared_ptr<Mapping> Map(std::span<const FilePiece> pieces, size_t reservation, Sharing sharing,
                                      MemoryError& error);
  static std::shared_ptr<Mapping> Anonymous(size_t size, MemoryError& error);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  uint8_t* base() const { return base_; }
  // Grows with Extend.
  size_t size() const { return size_.load(std::memory_order_acquire); }
  DurabilityMethod method() const { return method_; }
  bool Contains(uint64_t offset, uint64_t length) const {
    size_t end = size();
    return offset <= end && length <= end - offset;
  }
  // More pieces behind the last, while other threads work: all or, after an error, none. They must be made durable in the
  // same way as the others. Callable on any thread.
  bool Extend(std::span<const FilePiece> pieces, MemoryError& error);

  // Follows changed pages from now on; once.
  bool Track(TrackingMethod method, MemoryError& error);
  // Null before Track.
  PageTracking* tracking() const;

  // Each returns 0 or an errno, and poisons the mapping on failure. Ranges must be inside. Callable on any thread.
  int Flush(size_t offset, size_t length);
  int Drain();
  int Persist(size_t offset, size_t length);
  int DeepPersist(size_t offset, size_t length);
  int CopyIn(size_t offset, const void* source, size_t length, CopyMode mode);
  int Move(size_t to, size_t from, size_t length, CopyMode mode);
  int Fill(size_t offset, uint8_t byte, size_t length, CopyMode mode);

  // The first failure, or 0: EIO after a failed msync, EFAULT after SIGBUS.
  int failure() const { return failure_.load(std::memory_order_acquire); }

  // For whoever hands out addresses that may outlive the mapping: keeps them valid, but not the files behind them.
  std::shared_ptr<MappedRange> range() const;

 private:
  Mapping() = default;
  static std::shared_ptr<Mapping> Over(std::shared_ptr<MappedRange> range, MemoryError& error);
  int Settle(int rc);
  int Complete(size_t offset, size_t length, CopyMode mode);
  int CompleteDax(CopyMode mode);
  unsigned StoreFlags(CopyMode mode) const;
  bool Suits(std::span<const MappedPiece> pieces) const;
  void Guard(std::span<const MappedPiece> pieces);

  struct Impl;
  std::unique_ptr<Impl> impl_;
  uint8_t* base_ = nullptr;
  std::atomic<size_t> size_{0};
  DurabilityMethod method_ = DurabilityMethod::kVolatile;
  std::atomic<int> failure_{0};
};

}  // namespace rpmem
