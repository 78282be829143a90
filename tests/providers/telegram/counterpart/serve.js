// Telegram's Bot API on the given port of loopback, until standard input closes (the test ended, however it ended).
const { createRequire } = require("module");
const [, , modules, port] = process.argv;
const TelegramServer = createRequire(`${modules}/`)("telegram-test-api");

const server = new TelegramServer({ host: "127.0.0.1", port: Number(port) });
server.start().then(() => console.log("ready"));
process.stdin.on("end", () => process.exit(0)).resume();
