#include "file-errand.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "native-error.h"

namespace rpmem {
namespace {

struct Outcome {
  int code = 0;
  const char* syscall = "";
};

using Work = std::function<Outcome()>;

constexpr size_t kCopyBytes = 1 << 20;

Outcome Failed(const char* syscall) { return {errno, syscall}; }

struct Extent {
  off_t from;
  off_t to;
  size_t length;
};

// Drops what was written from the front of the list.
void Advance(std::vector<iovec>& pieces, size_t& first, size_t written) {
  while (first < pieces.size() && written >= pieces[first].iov_len) written -= pieces[first++].iov_len;
  if (written == 0) return;
  pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + written;
  pieces[first].iov_len -= written;
}

Outcome WriteAll(int fd, off_t at, std::vector<iovec> pieces) {
  for (size_t first = 0; first < pieces.size();) {
    int count = static_cast<int>(std::min<size_t>(pieces.size() - first, IOV_MAX));
    ssize_t written = pwritev(fd, pieces.data() + first, count, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("pwritev");
    if (written == 0) return {EIO, "pwritev"};
    at += written;
    Advance(pieces, first, static_cast<size_t>(written));
  }
  return {};
}

Outcome Sync(int fd) {
  // Never twice: an error is told once, and a second call would succeed.
  return fdatasync(fd) == 0 ? Outcome{} : Failed("fdatasync");
}

Outcome ReadAll(int fd, off_t at, char* into, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t count = pread(fd, into + done, length - done, at + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("pread");
    if (count == 0) return {EIO, "pread"};
    done += static_cast<size_t>(count);
  }
  return {};
}

Outcome Copy(int from, int to, const std::vector<Extent>& extents) {
  std::vector<char> buffer(kCopyBytes);
  for (const Extent& extent : extents) {
    for (size_t done = 0; done < extent.length;) {
      size_t length = std::min(kCopyBytes, extent.length - done);
      Outcome outcome = ReadAll(from, extent.from + static_cast<off_t>(done), buffer.data(), length);
      if (outcome.code == 0) outcome = WriteAll(to, extent.to + static_cast<off_t>(done), {{buffer.data(), length}});
      if (outcome.code != 0) return outcome;
      done += length;
    }
  }
  return {};
}

Outcome Allocate(int fd, off_t length) {
  int code;
  do code = posix_fallocate(fd, 0, length);
  while (code == EINTR);
  return {code, "posix_fallocate"};
}

// Done once, by whoever comes first: a thread of the pool, or JavaScript that cannot wait for one.
class Errand {
 public:
  explicit Errand(Work work) : work_(std::move(work)) {}

  Outcome Finish() {
    std::unique_lock lock(mutex_);
    if (state_ == State::kNew) {
      state_ = State::kRunning;
      lock.unlock();
      Outcome outcome = work_();
      lock.lock();
      outcome_ = outcome;
      state_ = State::kDone;
      done_.notify_all();
    }
    done_.wait(lock, [this] { return state_ == State::kDone; });
    return outcome_;
  }

 private:
  enum class State { kNew, kRunning, kDone };

  Work work_;
  std::mutex mutex_;
  std::condition_variable done_;
  State state_ = State::kNew;
  Outcome outcome_;
};

Napi::Error ErrorOf(Napi::Env env, const Outcome& outcome) {
  return NativeError(env, outcome.code, outcome.syscall, std::strerror(outcome.code));
}

class ErrandWorker : public Napi::AsyncWorker {
 public:
  ErrandWorker(Napi::Env env, std::shared_ptr<Errand> errand, Napi::Value lent)
      : Napi::AsyncWorker(env, "rpmem:errand"), errand_(std::move(errand)), promise_(Napi::Promise::Deferred::New(env)) {
    if (lent.IsObject()) lent_ = Napi::Persistent(lent.As<Napi::Object>());
  }

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override { outcome_ = errand_->Finish(); }
  void OnOK() override {
    if (outcome_.code == 0) return promise_.Resolve(Env().Undefined());
    promise_.Reject(ErrorOf(Env(), outcome_).Value());
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  std::shared_ptr<Errand> errand_;
  Napi::Promise::Deferred promise_;
  // What the thread reads must stay where it is.
  Napi::ObjectReference lent_;
  Outcome outcome_;
};

// Either does it here and now, or returns { done, join }.
Napi::Value Carry(Napi::Env env, bool start, Work work, Napi::Value lent) {
  if (!start) {
    Outcome outcome = work();
    if (outcome.code != 0) throw ErrorOf(env, outcome);
    return env.Undefined();
  }
  auto errand = std::make_shared<Errand>(std::move(work));
  auto* worker = new ErrandWorker(env, errand, lent);
  Napi::Object pending = Napi::Object::New(env);
  pending.Set("done", worker->promise());
  pending.Set("join", Napi::Function::New(
                          env,
                          [errand](const Napi::CallbackInfo& info) {
                            Outcome outcome = errand->Finish();
                            if (outcome.code != 0) throw ErrorOf(info.Env(), outcome);
                          },
                          "join"));
  worker->Queue();
  return pending;
}

int RequireFd(const Napi::Value& value) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= std::numeric_limits<int>::max() && number == std::floor(number)))
    throw NativeError(value.Env(), EBADF, "fcntl", "not a file descriptor");
  return static_cast<int>(number);
}

bool IsCount(double number) { return number >= 0 && number <= 9007199254740991.0 && number == std::floor(number); }

off_t RequireOffset(const Napi::Value& value) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!IsCount(number)) throw NativeError(value.Env(), EINVAL, "lseek", "an offset must be an integer from 0 to 2^53 - 1");
  return static_cast<off_t>(number);
}

bool RequireFlag(const Napi::Value& value) { return value.IsBoolean() && value.As<Napi::Boolean>(); }

std::vector<iovec> RequirePieces(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "pieces must be an array");
  auto list = value.As<Napi::Array>();
  std::vector<iovec> pieces;
  for (uint32_t index = 0; index < list.Length(); ++index) {
    Napi::Value piece = list.Get(index);
    if (!piece.IsTypedArray() || piece.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(value.Env(), "a piece must be a Uint8Array");
    auto bytes = piece.As<Napi::Uint8Array>();
    if (bytes.ByteLength() > 0) pieces.push_back({bytes.Data(), bytes.ByteLength()});
  }
  return pieces;
}

std::vector<Extent> RequireExtents(const Napi::Value& value) {
  bool good = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array &&
              value.As<Napi::Float64Array>().ElementLength() % 3 == 0;
  if (!good) throw Napi::TypeError::New(value.Env(), "extents must be a Float64Array of triples");
  auto numbers = value.As<Napi::Float64Array>();
  std::vector<Extent> extents;
  for (size_t at = 0; at < numbers.ElementLength(); at += 3) {
    if (!IsCount(numbers[at]) || !IsCount(numbers[at + 1]) || !IsCount(numbers[at + 2]))
      throw Napi::TypeError::New(value.Env(), "an extent is made of counts");
    extents.push_back({static_cast<off_t>(numbers[at]), static_cast<off_t>(numbers[at + 1]), static_cast<size_t>(numbers[at + 2])});
  }
  return extents;
}

Napi::Value WritePieces(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[1]);
  off_t at = RequireOffset(info[2]);
  bool sync = RequireFlag(info[4]);
  auto work = [fd, at, sync, pieces = RequirePieces(info[3])] {
    Outcome outcome = WriteAll(fd, at, pieces);
    return outcome.code == 0 && sync ? Sync(fd) : outcome;
  };
  return Carry(info.Env(), RequireFlag(info[0]), std::move(work), info[3]);
}

Napi::Value CopyExtents(const Napi::CallbackInfo& info) {
  int from = RequireFd(info[1]);
  int to = RequireFd(info[2]);
  auto work = [from, to, extents = RequireExtents(info[3])] { return Copy(from, to, extents); };
  return Carry(info.Env(), RequireFlag(info[0]), std::move(work), info.Env().Undefined());
}

Napi::Value SyncFile(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[1]);
  return Carry(info.Env(), RequireFlag(info[0]), [fd] { return Sync(fd); }, info.Env().Undefined());
}

Napi::Value GrowFile(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[1]);
  off_t length = RequireOffset(info[2]);
  return Carry(info.Env(), RequireFlag(info[0]), [fd, length] { return Allocate(fd, length); }, info.Env().Undefined());
}

}  // namespace

void InitFileErrand(Napi::Env env, Napi::Object exports) {
  exports.Set("writePieces", Napi::Function::New<WritePieces>(env, "writePieces"));
  exports.Set("copyExtents", Napi::Function::New<CopyExtents>(env, "copyExtents"));
  exports.Set("syncFile", Napi::Function::New<SyncFile>(env, "syncFile"));
  exports.Set("growFile", Napi::Function::New<GrowFile>(env, "growFile"));
}

}  // namespace rpmem
