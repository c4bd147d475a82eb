/*
 * One end of PMDK's lanes over libfabric, and no more: it opens endpoints in the way and order of PMDK 1.12 (hints, queue
 * sizes, receives before accepts, lanes one after another) and carries bytes that somebody else has made. Commands come in
 * lines on standard input, events go out in lines on standard output; bytes are hexadecimal, lanes count from 0.
 *
 *   fabric-end target PROVIDER ADDRESS LANES FILE SIZE MESSAGE
 *     -> port PORT RKEY RADDR, lane N, message N BYTES, down N
 *     <- answer N BYTES (receive again, then send), say N BYTES (send only)
 *   fabric-end initiator PROVIDER ADDRESS LANES FILE SIZE MESSAGE PORT [BYTES,BYTES...: sent with each request to connect]
 *     -> lane N, ready, refused N, answer N BYTES, placed N, sent N, data N BYTES, down N
 *     <- send N BYTES, write N OFFSET LENGTH RKEY RADDR, read N LENGTH RKEY ADDRESS, listen N (receive again)
 *
 * Both: `end`, or the end of the input. FILE is the memory of this side, mapped and shared. Whatever fails is told as
 * `failed CALL CODE`, and ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_rma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_LANES = 64, ANSWER = 128, GREETING = 256, READ_BYTES = 1 << 20, SETUP_MS = 30000 };

struct lane {
	struct fid_cq *queue;
	struct fid_ep *endpoint;
	uint8_t *message, *answer, *read;
	struct fid_mr *message_region, *answer_region, *read_region;
	size_t read_length;
};

static struct lane lanes[MAX_LANES];
static int lane_count, is_target;
static size_t pool_size, message_size;
static uint8_t *pool;
static struct fi_info *info;
static struct fid_fabric *fabric;
static struct fid_domain *domain;
static struct fid_eq *events;
static struct fid_mr *pool_region;

static void told(const char *call, long code)
{
	printf("failed %s %ld\n", call, code);
	exit(1);
}

static void must(const char *call, long code)
{
	if (code != 0)
		told(call, code);
}

static void say_bytes(const char *what, int lane, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	printf("%s %d ", what, lane);
	for (size_t at = 0; at < length; at++) {
		putchar_unlocked(digits[bytes[at] >> 4]);
		putchar_unlocked(digits[bytes[at] & 15]);
	}
	putchar_unlocked('\n');
}

static void find(const char *provider, const char *address, const char *port)
{
	struct fi_info *hints = fi_allocinfo();
	hints->caps = FI_MSG | FI_RMA;
	hints->mode = FI_CONTEXT | FI_LOCAL_MR | FI_RX_CQ_DATA;
	hints->addr_format = FI_SOCKADDR;
	hints->ep_attr->type = FI_EP_MSG;
	hints->domain_attr->mr_mode = FI_MR_BASIC;
	hints->domain_attr->threading = FI_THREAD_SAFE;
	hints->tx_attr->msg_order = FI_ORDER_RAW | FI_ORDER_SAW;
	hints->tx_attr->size = is_target ? 0 : 50;
	hints->rx_attr->size = is_target ? 0 : 1;
	hints->fabric_attr->prov_name = strdup(provider);
	must("fi_getinfo", fi_getinfo(FI_VERSION(1, 4), address, port, is_target ? FI_SOURCE : 0, hints, &info));
	fi_freeinfo(hints);
}

static struct fid_mr *registered(void *memory, size_t size, uint64_t access)
{
	struct fid_mr *region;
	must("fi_mr_reg", fi_mr_reg(domain, memory, size, access, 0, 0, 0, &region, NULL));
	return region;
}

static uint8_t *pages(size_t size)
{
	void *memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
	if (memory == NULL)
		told("aligned_alloc", 0);
	return memory;
}

static void open_domain(void)
{
	struct fi_eq_attr attributes = { .wait_obj = FI_WAIT_UNSPEC };
	must("fi_fabric", fi_fabric(info->fabric_attr, &fabric, NULL));
	must("fi_domain", fi_domain(fabric, info, &domain, NULL));
	must("fi_eq_open", fi_eq_open(fabric, &attributes, &events, NULL));
}

static void open_queue(struct lane *lane)
{
	struct fi_cq_attr attributes = { .size = 3, .format = FI_CQ_FORMAT_MSG, .wait_obj = FI_WAIT_UNSPEC };
	must("fi_cq_open", fi_cq_open(domain, &attributes, &lane->queue, NULL));
}

static void open_buffers(struct lane *lane)
{
	lane->message = pages(message_size);
	lane->answer = pages(ANSWER);
	lane->message_region = registered(lane->message, message_size, is_target ? FI_RECV : FI_SEND);
	lane->answer_region = registered(lane->answer, ANSWER, is_target ? FI_SEND : FI_RECV);
	if (is_target)
		return;
	lane->read = pages(READ_BYTES);
	lane->read_region = registered(lane->read, READ_BYTES, FI_REMOTE_WRITE);
}

static void open_endpoint(struct lane *lane, struct fi_info *from)
{
	must("fi_endpoint", fi_endpoint(domain, from, &lane->endpoint, lane));
	must("fi_ep_bind", fi_ep_bind(lane->endpoint, &events->fid, 0));
	must("fi_ep_bind", fi_ep_bind(lane->endpoint, &lane->queue->fid, FI_RECV | FI_TRANSMIT | FI_SELECTIVE_COMPLETION));
	must("fi_enable", fi_enable(lane->endpoint));
}

static void receive(struct lane *lane)
{
	struct iovec part = { is_target ? lane->message : lane->answer, is_target ? message_size : ANSWER };
	void *descriptor = fi_mr_desc(is_target ? lane->message_region : lane->answer_region);
	struct fi_msg message = { .msg_iov = &part, .desc = &descriptor, .iov_count = 1, .context = lane };
	must("fi_recvmsg", fi_recvmsg(lane->endpoint, &message, FI_COMPLETION));
}

static void transmit(struct lane *lane, size_t length)
{
	struct iovec part = { is_target ? lane->answer : lane->message, length };
	void *descriptor = fi_mr_desc(is_target ? lane->answer_region : lane->message_region);
	struct fi_msg message = { .msg_iov = &part, .desc = &descriptor, .iov_count = 1, .context = lane };
	must("fi_sendmsg", fi_sendmsg(lane->endpoint, &message, FI_COMPLETION));
}

static void place(struct lane *lane, size_t offset, size_t length, uint64_t rkey, uint64_t raddr)
{
	struct iovec part = { pool + offset, length };
	void *descriptor = fi_mr_desc(pool_region);
	struct fi_rma_iov where = { raddr + offset, length, rkey };
	struct fi_msg_rma message = { .msg_iov = &part, .desc = &descriptor, .iov_count = 1,
		.rma_iov = &where, .rma_iov_count = 1, .context = lane };
	must("fi_writemsg", fi_writemsg(lane->endpoint, &message, 0));
}

static void fetch(struct lane *lane, size_t length, uint64_t rkey, uint64_t address)
{
	struct iovec part = { lane->read, length };
	void *descriptor = fi_mr_desc(lane->read_region);
	struct fi_rma_iov where = { address, length, rkey };
	struct fi_msg_rma message = { .msg_iov = &part, .desc = &descriptor, .iov_count = 1,
		.rma_iov = &where, .rma_iov_count = 1, .context = lane };
	lane->read_length = length;
	must("fi_readmsg", fi_readmsg(lane->endpoint, &message, FI_COMPLETION));
}

static int lane_of(fid_t endpoint)
{
	for (int lane = 0; lane < lane_count; lane++)
		if (lanes[lane].endpoint != NULL && &lanes[lane].endpoint->fid == endpoint)
			return lane;
	return -1;
}

/* The event, or 0 if none came in time, or -1 for an error; where it happened. */
static int next_event(struct fi_eq_cm_entry *entry, int timeout_ms)
{
	union {
		struct fi_eq_cm_entry entry;
		uint8_t room[sizeof(struct fi_eq_cm_entry) + GREETING];
	} read = { 0 };
	uint32_t event = 0;
	ssize_t rc = fi_eq_sread(events, &event, &read, sizeof(read), timeout_ms, 0);
	*entry = read.entry;
	if (rc == -FI_EAVAIL) {
		struct fi_eq_err_entry failed = { 0 };
		fi_eq_readerr(events, &failed, 0);
		entry->fid = failed.fid;
		return -1;
	}
	return rc >= (ssize_t)sizeof(*entry) ? (int)event : 0;
}

static void accept_lane(int number, struct fi_info *from)
{
	struct lane *lane = &lanes[number];
	from->tx_attr->size = 1;
	from->rx_attr->size = 1;
	open_endpoint(lane, from);
	receive(lane);
	must("fi_accept", fi_accept(lane->endpoint, NULL, 0));
	fi_freeinfo(from);
}

static void listen_at(void)
{
	struct fid_pep *port;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name;
	size_t length = sizeof(name);
	must("fi_passive_ep", fi_passive_ep(fabric, info, &port, NULL));
	must("fi_pep_bind", fi_pep_bind(port, &events->fid, 0));
	pool_region = registered(pool, pool_size, FI_REMOTE_READ | FI_REMOTE_WRITE);
	for (int lane = 0; lane < lane_count; lane++) {
		open_queue(&lanes[lane]);
		open_buffers(&lanes[lane]);
	}
	must("fi_listen", fi_listen(port));
	must("fi_getname", fi_getname(&port->fid, &name, &length));
	printf("port %d %lu %lu\n", ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port),
		(unsigned long)fi_mr_key(pool_region), (unsigned long)(uintptr_t)pool);
}

static size_t take_bytes(const char *hex, uint8_t *into, size_t room)
{
	size_t length = 0;
	for (; length < room && isxdigit(hex[0]) && isxdigit(hex[1]); hex += 2) {
		char digits[3] = { hex[0], hex[1], 0 };
		into[length++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return length;
}

/* `greetings` has one run of bytes for each lane, or is NULL. */
static void connect_lanes(const char *greetings)
{
	for (int lane = 0; lane < lane_count; lane++) {
		open_queue(&lanes[lane]);
		open_endpoint(&lanes[lane], info);
	}
	for (int lane = 0; lane < lane_count; lane++) {
		struct fi_eq_cm_entry entry = { 0 };
		uint8_t greeting[GREETING];
		size_t length = 0;
		if (greetings != NULL) {
			length = take_bytes(greetings, greeting, sizeof(greeting));
			greetings = strchr(greetings, ',') == NULL ? NULL : strchr(greetings, ',') + 1;
		}
		must("fi_connect", fi_connect(lanes[lane].endpoint, info->dest_addr, greeting, length));
		if (next_event(&entry, SETUP_MS) != FI_CONNECTED) {
			printf("refused %d\n", lane);
			return;
		}
		printf("lane %d\n", lane);
	}
	pool_region = registered(pool, pool_size, FI_WRITE);
	for (int lane = 0; lane < lane_count; lane++) {
		open_buffers(&lanes[lane]);
		receive(&lanes[lane]);
	}
	printf("ready\n");
}

static void watch_events(void)
{
	static int accepted;
	struct fi_eq_cm_entry entry = { 0 };
	int event = next_event(&entry, 0);
	if (event == 0)
		return;
	int lane = event == FI_CONNREQ ? -1 : lane_of(entry.fid);
	if (event == FI_CONNREQ && accepted < lane_count)
		accept_lane(accepted++, entry.info);
	else if (event == FI_CONNECTED)
		printf("lane %d\n", lane);
	else if (event != FI_CONNREQ)
		printf("down %d\n", lane);
}

/* Whether something had happened on the lane. */
static int watch_queue(int number)
{
	struct lane *lane = &lanes[number];
	struct fi_cq_msg_entry entry;
	if (lane->endpoint == NULL)
		return 0;
	ssize_t rc = fi_cq_read(lane->queue, &entry, 1);
	if (rc == -FI_EAVAIL) {
		struct fi_cq_err_entry failed = { 0 };
		fi_cq_readerr(lane->queue, &failed, 0);
		/* The provider may lose the event of a connection that ended with an operation under way. */
		printf("down %d\n", number);
	}
	if (rc != 1)
		return rc == -FI_EAVAIL;
	if (entry.flags & FI_RECV)
		say_bytes(is_target ? "message" : "answer", number, is_target ? lane->message : lane->answer, entry.len);
	else if (entry.flags & FI_READ)
		say_bytes("data", number, lane->read, lane->read_length);
	else
		printf("sent %d\n", number);
	return 1;
}

static void obey(const char *line)
{
	char word[16] = "";
	int number = 0, read = 0;
	unsigned long a = 0, b = 0, c = 0, d = 0;
	sscanf(line, "%15s %d %n", word, &number, &read);
	if (strcmp(word, "end") == 0)
		exit(0);
	if (number < 0 || number >= lane_count || read == 0)
		told("command", number);
	struct lane *lane = &lanes[number];
	const char *rest = line + read;
	sscanf(rest, "%lu %lu %lu %lu", &a, &b, &c, &d);
	if (strcmp(word, "answer") == 0 || strcmp(word, "say") == 0) {
		if (word[0] == 'a')
			receive(lane);
		transmit(lane, take_bytes(rest, lane->answer, ANSWER));
	} else if (strcmp(word, "send") == 0) {
		transmit(lane, take_bytes(rest, lane->message, message_size));
	} else if (strcmp(word, "write") == 0) {
		place(lane, a, b, c, d);
	} else if (strcmp(word, "read") == 0) {
		fetch(lane, a, b, c);
	} else if (strcmp(word, "listen") == 0) {
		receive(lane);
	} else {
		told("command", number);
	}
}

/* Obeys every line that is complete; 0 at the end of the input. */
static int take_commands(void)
{
	static char held[1 << 18];
	static size_t filled;
	ssize_t got = read(0, held + filled, sizeof(held) - filled - 1);
	if (got <= 0)
		return 0;
	filled += (size_t)got;
	char *line = held;
	for (char *end; (end = memchr(line, '\n', filled - (size_t)(line - held))) != NULL; line = end + 1) {
		*end = '\0';
		obey(line);
	}
	filled -= (size_t)(line - held);
	memmove(held, line, filled);
	return 1;
}

static void converse(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	for (int busy = 0;;) {
		if (poll(&input, 1, busy ? 0 : 1) > 0 && !take_commands())
			return;
		busy = 0;
		for (int lane = 0; lane < lane_count; lane++)
			busy |= watch_queue(lane);
		watch_events();
	}
}

int main(int count, char **words)
{
	if (count < 8)
		told("arguments", count);
	is_target = strcmp(words[1], "target") == 0;
	lane_count = atoi(words[4]);
	pool_size = strtoul(words[6], NULL, 10);
	message_size = strtoul(words[7], NULL, 10);
	if (lane_count < 1 || lane_count > MAX_LANES)
		told("lanes", lane_count);
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	int file = open(words[5], O_RDWR);
	pool = mmap(NULL, pool_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (file < 0 || pool == MAP_FAILED)
		told("mmap", file);
	find(words[2], words[3], is_target ? NULL : words[8]);
	open_domain();
	if (is_target)
		listen_at();
	else
		connect_lanes(count > 9 ? words[9] : NULL);
	converse();
	return 0;
}
