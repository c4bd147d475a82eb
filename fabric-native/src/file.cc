#include "file.h"

#include <fcntl.h>
#include <libpmem2.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "native-error.h"
#include "pmem2-error.h"

namespace rpmem {
namespace {

int RequireFd(const Napi::Value& value) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= std::numeric_limits<int>::max() && number == std::floor(number)))
    throw NativeError(value.Env(), EBADF, "fcntl", "not a file descriptor");
  return static_cast<int>(number);
}

off_t RequireLength(const Napi::Value& value) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number > 0 && number <= 9007199254740991.0 && number == std::floor(number)))
    throw NativeError(value.Env(), EINVAL, "posix_fallocate", "a length must be an integer from 1 to 2^53 - 1");
  return static_cast<off_t>(number);
}

int Allocate(int fd, off_t length) {
  int rc;
  do rc = posix_fallocate(fd, 0, length);
  while (rc == EINTR);
  return rc;
}

void AllocateFileSync(const Napi::CallbackInfo& info) {
  int rc = Allocate(RequireFd(info[0]), RequireLength(info[1]));
  if (rc != 0) throw NativeError(info.Env(), rc, "posix_fallocate", std::strerror(rc));
}

// Allocation can take minutes where the file system must write zeros.
class AllocationWorker : public Napi::AsyncWorker {
 public:
  AllocationWorker(Napi::Env env, int fd, off_t length)
      : Napi::AsyncWorker(env, "rpmem:allocateFile"), promise_(Napi::Promise::Deferred::New(env)), fd_(fd), length_(length) {}

  Napi::Promise promise() const { return promise_.Promise(); }

 protected:
  void Execute() override { rc_ = Allocate(fd_, length_); }
  void OnOK() override {
    if (rc_ == 0) return promise_.Resolve(Env().Undefined());
    promise_.Reject(NativeError(Env(), rc_, "posix_fallocate", std::strerror(rc_)).Value());
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  int fd_;
  off_t length_;
  int rc_ = 0;
};

Napi::Value AllocateFile(const Napi::CallbackInfo& info) {
  auto* worker = new AllocationWorker(info.Env(), RequireFd(info[0]), RequireLength(info[1]));
  Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

// A file without a name in a directory, gone with its last descriptor and mapping. Where the file system cannot make one
// without a name, it has one for a moment.
Napi::Value OpenUnnamedFile(const Napi::CallbackInfo& info) {
  std::string directory = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
  int fd = open(directory.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0 && errno == EOPNOTSUPP) {
    std::string name = directory + "/vmem.XXXXXX";
    fd = mkostemp(name.data(), O_CLOEXEC);
    if (fd >= 0) unlink(name.c_str());
  }
  int code = errno;
  if (fd < 0) throw NativeError(info.Env(), code, "open", std::strerror(code));
  return Napi::Number::New(info.Env(), fd);
}

// False if another open file description holds the lock.
Napi::Value LockFile(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[0]);
  int rc;
  do rc = flock(fd, LOCK_EX | LOCK_NB);
  while (rc != 0 && errno == EINTR);
  if (rc != 0 && errno != EWOULDBLOCK) {
    int code = errno;
    throw NativeError(info.Env(), code, "flock", std::strerror(code));
  }
  return Napi::Boolean::New(info.Env(), rc == 0);
}

Napi::Value FileSystemKind(const Napi::CallbackInfo& info) {
  struct statfs status;
  if (fstatfs(RequireFd(info[0]), &status) != 0) {
    int code = errno;
    throw NativeError(info.Env(), code, "fstatfs", std::strerror(code));
  }
  bool in_memory = status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC || status.f_type == HUGETLBFS_MAGIC;
  Napi::Object kind = Napi::Object::New(info.Env());
  kind.Set("magic", static_cast<double>(static_cast<uint32_t>(status.f_type)));
  kind.Set("inMemory", in_memory);
  return kind;
}

// Size and alignment as libpmem2 sees them: of a file as of a DAX device, whose stat says nothing.
Napi::Value MappableSize(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[0]);
  pmem2_source* source = nullptr;
  size_t size = 0;
  size_t alignment = 0;
  struct stat status {};
  int rc = pmem2_source_from_fd(&source, fd);
  if (rc == 0) rc = pmem2_source_size(source, &size);
  if (rc == 0) rc = pmem2_source_alignment(source, &alignment);
  if (rc == 0 && fstat(fd, &status) != 0) rc = -errno;
  if (source != nullptr) pmem2_source_delete(&source);
  if (rc != 0) throw NativeError(info.Env(), ErrnoOfPmem2(rc), "pmem2_source", pmem2_errormsg());
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("size", static_cast<double>(size));
  result.Set("alignment", static_cast<double>(alignment));
  result.Set("deviceDax", S_ISCHR(status.st_mode));
  return result;
}

// Of the memory modules behind the file: how often they lost power without having flushed, and what they are called. Zero and
// empty where there are none, or nobody can say.
Napi::Value UnsafeShutdowns(const Napi::CallbackInfo& info) {
  int fd = RequireFd(info[0]);
  pmem2_source* source = nullptr;
  uint64_t count = 0;
  size_t length = 0;
  int rc = pmem2_source_from_fd(&source, fd);
  if (rc == 0) rc = pmem2_source_device_usc(source, &count);
  if (rc == PMEM2_E_NOSUPP) count = 0, rc = 0;
  if (rc == 0) rc = pmem2_source_device_id(source, nullptr, &length);
  std::string id(rc == 0 ? length : 0, '\0');
  if (rc == 0) rc = pmem2_source_device_id(source, id.data(), &length);
  if (source != nullptr) pmem2_source_delete(&source);
  if (rc == PMEM2_E_NOSUPP) id.clear(), rc = 0;
  if (rc != 0) throw NativeError(info.Env(), ErrnoOfPmem2(rc), "pmem2_source_device_usc", pmem2_errormsg());
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("count", Napi::BigInt::New(info.Env(), count));
  result.Set("device", std::string(id.c_str()));
  return result;
}

}  // namespace

void InitFile(Napi::Env env, Napi::Object exports) {
  exports.Set("allocateFile", Napi::Function::New<AllocateFile>(env, "allocateFile"));
  exports.Set("allocateFileSync", Napi::Function::New<AllocateFileSync>(env, "allocateFileSync"));
  exports.Set("openUnnamedFile", Napi::Function::New<OpenUnnamedFile>(env, "openUnnamedFile"));
  exports.Set("lockFile", Napi::Function::New<LockFile>(env, "lockFile"));
  exports.Set("fileSystemKind", Napi::Function::New<FileSystemKind>(env, "fileSystemKind"));
  exports.Set("unsafeShutdowns", Napi::Function::New<UnsafeShutdowns>(env, "unsafeShutdowns"));
  exports.Set("mappableSize", Napi::Function::New<MappableSize>(env, "mappableSize"));
}

}  // namespace rpmem
