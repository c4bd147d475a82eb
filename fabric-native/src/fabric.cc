#include "fabric.h"

#include "arguments.h"
#include "background.h"
#include "lanes-face.h"
#include "libfabric.h"
#include "service-face.h"

namespace rpmem {
namespace {

constexpr uint64_t kMaxLanes = 1024;
constexpr uint64_t kMaxInline = 16 << 20;
constexpr uint64_t kMaxTimeout = UINT32_MAX;
constexpr uint64_t kAny = UINT64_MAX;
constexpr size_t kTokenBytes = 32;
// A piece of this many bytes is cut at whole words.
constexpr uint64_t kMinInline = 64;

const char* TextOf(ProviderName provider) {
  static const char* const names[] = {"verbs", "tcp", "sockets"};
  return names[static_cast<int>(provider)];
}

Napi::Value ObjectOf(Napi::Env env, const ProviderReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("provider", TextOf(report.provider));
  if (!report.available) {
    object.Set("reason", report.reason);
    if (report.code != 0) object.Set("fiErrno", report.code);
    return object;
  }
  Napi::Object offer = Napi::Object::New(env);
  offer.Set("provider", TextOf(report.provider));
  offer.Set("fabricName", report.offer.fabric_name);
  offer.Set("protocol", static_cast<double>(report.offer.protocol));
  offer.Set("protocolVersion", static_cast<double>(report.offer.protocol_version));
  offer.Set("maxLanes", static_cast<double>(std::min<uint64_t>(report.offer.max_lanes, kMaxLanes)));
  constexpr double kMaxSafe = 9007199254740991.0;
  offer.Set("maxMessageSize", std::min(static_cast<double>(report.offer.max_message_size), kMaxSafe));
  object.Set("offer", offer);
  return object;
}

Napi::Value ProbeProvider(const Napi::CallbackInfo& info) {
  Arguments options(info[0]);
  ProviderName provider = options.Provider("provider");
  FabricAddress address{options.Text("node"), "", options.Flag("source")};
  auto report = std::make_shared<ProviderReport>();
  return Background::Run(
      info.Env(),
      [provider, address, report] {
        *report = Probe(provider, address);
        return FabricError{};
      },
      [report](Napi::Env env) { return ObjectOf(env, *report); });
}

std::vector<std::string> TokensOf(const Arguments& options, Dialect dialect, uint64_t lanes) {
  return dialect == Dialect::kPmdk ? std::vector<std::string>{} : options.Tokens("tokens", lanes, kTokenBytes);
}

uint64_t SizeOf(const Arguments& options, const Mapping& memory) { return options.Number("size", 1, memory.size()); }

Napi::Int32Array ResultsOf(Napi::Env env, Napi::Value value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw Napi::TypeError::New(env, "the results must be an Int32Array");
  Napi::Int32Array results = value.As<Napi::Int32Array>();
  if (results.ElementLength() < 2) throw Napi::TypeError::New(env, "the results must have room");
  return results;
}

Napi::Value Connect(const Napi::CallbackInfo& info) {
  Arguments options(info[0]);
  auto terms = std::make_shared<ConnectTerms>();
  terms->provider = options.Provider("provider");
  terms->address = options.Text("address");
  terms->port = std::to_string(options.Number("port", 1, 65535));
  terms->memory = options.Memory("memory");
  terms->size = SizeOf(options, *terms->memory);
  terms->lanes = static_cast<uint32_t>(options.Number("lanes", 1, kMaxLanes));
  terms->dialect = options.Flag("pmdk") ? Dialect::kPmdk : Dialect::kRpmem;
  terms->method = options.Flag("apm") ? PersistMethod::kApm : PersistMethod::kGpspm;
  terms->rkey = options.Word("rkey");
  terms->raddr = options.Word("raddr");
  terms->inline_size = options.Number("inlineSize", kMinInline, kMaxInline);
  terms->tokens = TokensOf(options, terms->dialect, terms->lanes);
  terms->connect_timeout_ms = static_cast<uint32_t>(options.Number("connectTimeoutMs", 1, kMaxTimeout));
  terms->work_queue_size = options.Number("workQueueSize", 1, 65536);
  auto on_event = std::make_shared<Napi::FunctionReference>(Napi::Persistent(options.Function("onEvent")));
  auto results = std::make_shared<Napi::Reference<Napi::Int32Array>>(Napi::Persistent(ResultsOf(info.Env(), info[1])));

  auto engine = std::make_shared<std::shared_ptr<LaneEngine>>();
  return Background::Run(
      info.Env(),
      [terms, engine] {
        FabricError error;
        *engine = LaneEngine::Connect(std::move(*terms), error);
        return error;
      },
      [engine, on_event, results](Napi::Env env) -> Napi::Value {
        return LanesFace::New(env, std::move(*engine), true, on_event->Value(), results->Value());
      });
}

Napi::Value Attach(const Napi::CallbackInfo& info) {
  std::string token = info[0].IsString() ? info[0].As<Napi::String>() : std::string();
  if (!info[1].IsFunction()) throw Napi::TypeError::New(info.Env(), "onEvent must be a function");
  Napi::Int32Array results = ResultsOf(info.Env(), info[2]);
  return LanesFace::Attach(info.Env(), token, info[1].As<Napi::Function>(), results);
}

Napi::Value Listen(const Napi::CallbackInfo& info) {
  Arguments options(info[0]);
  auto terms = std::make_shared<ListenTerms>();
  terms->provider = options.Provider("provider");
  terms->address = options.Text("address");
  terms->memory = options.Memory("memory");
  terms->size = SizeOf(options, *terms->memory);
  terms->lanes = static_cast<uint32_t>(options.Number("lanes", 1, kMaxLanes));
  terms->dialect = options.Flag("pmdk") ? Dialect::kPmdk : Dialect::kRpmem;
  terms->inline_size = options.Number("inlineSize", 0, kMaxInline);
  terms->tokens = TokensOf(options, terms->dialect, terms->lanes);
  terms->apm = options.Flag("apm");
  terms->peer_address = options.Text("peerAddress");
  terms->accept_timeout_ms = static_cast<uint32_t>(options.Number("acceptTimeoutMs", 1, kMaxTimeout));
  terms->threads = static_cast<uint32_t>(options.Number("threads", 0, kMaxLanes));
  terms->spin_ns = options.Number("spinUs", 0, 10'000'000) * 1000;
  auto on_connected = std::make_shared<Napi::FunctionReference>(Napi::Persistent(options.Function("onConnected")));

  auto service = std::make_shared<std::shared_ptr<Service>>();
  return Background::Run(
      info.Env(),
      [terms, service] {
        FabricError error;
        *service = Service::Listen(std::move(*terms), error);
        return error;
      },
      [service, on_connected](Napi::Env env) -> Napi::Value {
        return ServiceFace::New(env, std::move(*service), on_connected->Value());
      });
}

}  // namespace

void InitFabric(Napi::Env env, Napi::Object exports) {
  LibFabric::PrepareEnvironment();
  exports.Set("probeProvider", Napi::Function::New<ProbeProvider>(env, "probeProvider"));
  exports.Set("connectLanes", Napi::Function::New<Connect>(env, "connectLanes"));
  exports.Set("attachLanes", Napi::Function::New<Attach>(env, "attachLanes"));
  exports.Set("listenForLanes", Napi::Function::New<Listen>(env, "listenForLanes"));
}

}  // namespace rpmem
