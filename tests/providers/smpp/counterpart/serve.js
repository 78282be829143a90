// An SMSC made of node-smpp on the given port of loopback, until standard input closes. One JSON object a line:
// out: what it heard. in: {"deliver": {...}} is sent as a deliver_sm, {"receipts": "decimal" | "hex" | "none"} is a manner,
// {"receipts_after": 500} how many ms they take, {"throttle": true} refuses every submit_sm for now, {"cut": true} resets
// every connection, {"answers_after": 300} how many ms a submit_sm that was taken waits for its answer, {"keep": true} delivers again, also to the next connection, until it is confirmed; {"first_id": 7} is
// the id of the next text. The last two digits of a phone choose the answer to a submit_sm.
const { createRequire } = require("module");
const readline = require("readline");
const [, , modules, port] = process.argv;
const smpp = createRequire(`${modules}/`)("smpp");

const ANSWERS = {
  "58": smpp.ESME_RTHROTTLED,
  "20": smpp.ESME_RMSGQFUL,
  "11": smpp.ESME_RINVDSTADR,
  "10": smpp.ESME_RINVSRCADR,
  "69": smpp.ESME_RSUBMITFAIL,
};
const sessions = new Set();
let lastId = 0x1a2b3c00;
let receipts = "decimal";
let receiptsAfter = 0;
let answersAfter = 0;
let isThrottled = false;
let isKept = false;
const waiting = new Set();

function say(heard) {
  console.log(JSON.stringify(heard));
}

function after(ms, act) {
  if (ms) setTimeout(act, ms);
  else act();
}

function words(message) {
  return typeof message === "string" ? message : message && message.toString("latin1");
}

// One deliver_sm; with "keep" it comes again half a second after a refusal, and at once on a new connection.
function deliver(item) {
  const session = item.session && sessions.has(item.session) ? item.session : [...sessions].find((one) => one.isBound);
  if (isKept) waiting.add(item);
  if (!session) return;
  item.session = session;
  session.deliver_sm(item.fields, (answer) => {
    say({ heard: item.heard, status: answer.command_status });
    if (answer.command_status === 0) waiting.delete(item);
    else if (waiting.has(item)) setTimeout(() => deliver(item), 500);
  });
}

function receiptFor(session, pdu, id) {
  const name = receipts === "decimal" ? String(id).padStart(10, "0") : id.toString(16).toUpperCase();
  return { heard: "receipt_answer", session, fields: {
    source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi, destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${name} sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:`,
  } };
}

const server = smpp.createServer({}, (session) => {
  sessions.add(session);
  session.on("close", () => sessions.delete(session));
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const isRight = pdu.system_id === "consular" && pdu.password === "secret";
    say({ heard: "bind", system_id: pdu.system_id, version: pdu.interface_version });
    session.send(pdu.response(isRight ? { system_id: "smsc" } : { command_status: smpp.ESME_RINVPASWD }));
    session.isBound = isRight;
    if (isRight) for (const item of waiting) if (!sessions.has(item.session)) deliver(item);
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    say({ heard: "unbind" });
    session.send(pdu.response());
    session.close();
  });
  session.on("submit_sm", (pdu) => {
    const { message, udh } = pdu.short_message;
    say({
      heard: "submit", to: pdu.destination_addr, from: pdu.source_addr, ton: pdu.source_addr_ton, text: words(message),
      udh: udh ? udh.flatMap ? udh.map((one) => one.toString("hex")) : udh.toString("hex") : null,
      data_coding: pdu.data_coding, validity: pdu.validity_period, registered: pdu.registered_delivery,
    });
    const status = isThrottled ? smpp.ESME_RTHROTTLED : ANSWERS[pdu.destination_addr.slice(-2)];
    if (status) return session.send(pdu.response({ command_status: status }));
    lastId += 1;
    say({ heard: "taken", to: pdu.destination_addr, id: lastId });
    const answer = pdu.response({ message_id: lastId.toString(16).toUpperCase() });
    after(answersAfter, () => sessions.has(session) && session.send(answer));
    if (!pdu.registered_delivery || receipts === "none") return;
    const receipt = receiptFor(session, pdu, lastId);
    after(answersAfter + receiptsAfter, () => deliver(receipt));
  });
});

smpp.encodings.default = "ASCII";
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  if (order.receipts) receipts = order.receipts;
  if ("receipts_after" in order) receiptsAfter = order.receipts_after;
  if ("answers_after" in order) answersAfter = order.answers_after;
  if ("throttle" in order) isThrottled = order.throttle;
  if ("keep" in order) isKept = order.keep;
  if ("first_id" in order) lastId = order.first_id - 1;
  if (order.cut) for (const session of sessions) session.destroy();
  if (!order.deliver) return;
  const { udh, hex, ...fields } = order.deliver;
  if (hex) fields.short_message = { udh: Buffer.from(udh, "hex"), message: Buffer.from(hex, "hex") };
  deliver({ heard: "text_answer", fields });
}).on("close", () => process.exit(0));
server.listen(Number(port), "127.0.0.1", () => say({ heard: "ready" }));
