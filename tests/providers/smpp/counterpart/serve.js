// An SMSC made of node-smpp on the given port of loopback, until standard input closes. One JSON object a line:
// out: what it heard. in: {"deliver": {...}} is sent as a deliver_sm, {"receipts": "decimal" | "hex" | "none"} is a manner,
// {"cut": true} resets every connection. The last two digits of a phone choose the answer to a submit_sm.
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

function say(heard) {
  console.log(JSON.stringify(heard));
}

function words(message) {
  return typeof message === "string" ? message : message && message.toString("latin1");
}

function sendReceipt(session, pdu, id) {
  const name = receipts === "decimal" ? String(id).padStart(10, "0") : id.toString(16).toUpperCase();
  session.deliver_sm({
    source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi, destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${name} sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:`,
  }, (answer) => say({ heard: "receipt_answer", status: answer.command_status }));
}

const server = smpp.createServer({}, (session) => {
  sessions.add(session);
  session.on("close", () => sessions.delete(session));
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const isRight = pdu.system_id === "consular" && pdu.password === "secret";
    say({ heard: "bind", system_id: pdu.system_id, version: pdu.interface_version });
    session.send(pdu.response(isRight ? { system_id: "smsc" } : { command_status: smpp.ESME_RINVPASWD }));
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
    const status = ANSWERS[pdu.destination_addr.slice(-2)];
    if (status) return session.send(pdu.response({ command_status: status }));
    lastId += 1;
    session.send(pdu.response({ message_id: lastId.toString(16).toUpperCase() }));
    if (pdu.registered_delivery && receipts !== "none") sendReceipt(session, pdu, lastId);
  });
});

smpp.encodings.default = "ASCII";
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  if (order.receipts) receipts = order.receipts;
  for (const session of sessions) {
    if (order.cut) session.destroy();
    if (!order.deliver) continue;
    const { udh, hex, ...fields } = order.deliver;
    if (hex) fields.short_message = { udh: Buffer.from(udh, "hex"), message: Buffer.from(hex, "hex") };
    session.deliver_sm(fields, (answer) => say({ heard: "text_answer", status: answer.command_status }));
  }
}).on("close", () => process.exit(0));
server.listen(Number(port), "127.0.0.1", () => say({ heard: "ready" }));
