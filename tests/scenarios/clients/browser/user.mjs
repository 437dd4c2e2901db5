/*
 * A user of a browser's library, SIP.js or JsSIP, driven by lines.
 *
 * Started with a setting as JSON: library, server, aor, password.  Lines of JSON on stdin
 * say what to do, lines of JSON on stdout what happened.
 */

import { createInterface } from "node:readline";
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;

const setting = JSON.parse(process.argv[2]);
const name = setting.aor.replace(/^sip:/, "").split("@")[0];

function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

async function withSipJs() {
  const { Messager, Publisher, Registerer, Subscriber, UserAgent } = await import("sip.js");
  const agent = new UserAgent({
    uri: UserAgent.makeURI(setting.aor),
    authorizationUsername: name,
    authorizationPassword: setting.password,
    transportOptions: { server: setting.server },
    logLevel: "warn",
    delegate: {
      onMessage: (message) => {
        message.accept();
        say("message", { body: message.request.body });
      },
    },
  });
  await agent.start();
  const registerer = new Registerer(agent);
  registerer.stateChange.addListener((state) => say("registered", { state }));
  const own = UserAgent.makeURI(setting.aor);
  const publisher = new Publisher(agent, own, "presence", {
    contentType: "application/pidf+xml",
    expires: 600,
  });
  publisher.stateChange.addListener((state) => say("published", { state }));
  return {
    register: () => registerer.register(),
    publish: ({ body }) => publisher.publish(body),
    watch: ({ aor }) => {
      const subscriber = new Subscriber(agent, UserAgent.makeURI(aor), "presence", {
        extraHeaders: ["Accept: application/pidf+xml"],
      });
      subscriber.stateChange.addListener((state) => say("watching", { state, aor }));
      subscriber.delegate = {
        onNotify: (notification) => {
          notification.accept();
          say("notified", { aor, body: notification.request.body });
        },
      };
      subscriber.subscribe();
    },
    send: ({ aor, body }) => new Messager(agent, UserAgent.makeURI(aor), body).message(),
    quit: () => agent.stop(),
  };
}

async function withJsSip() {
  const { default: JsSIP } = await import("jssip");
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(setting.server)],
    uri: setting.aor,
    authorization_user: name,
    password: setting.password,
    register: false,
  });
  agent.on("registered", () => say("registered", { state: "Registered" }));
  agent.on("newMessage", ({ originator, request }) => {
    if (originator === "remote") say("message", { body: request.body });
  });
  await new Promise((resolve) => {
    agent.on("connected", resolve);
    agent.start();
  });
  return {
    register: () => agent.register(),
    watch: ({ aor }) => {
      const subscriber = agent.subscribe(aor, "presence", "application/pidf+xml", {
        contentType: "text/plain",
        expires: 600,
      });
      subscriber.on("active", () => say("watching", { state: "Subscribed", aor }));
      subscriber.on("notify", (isFinal, request, body) => say("notified", { aor, body }));
      subscriber.subscribe();
    },
    send: ({ aor, body }) => agent.sendMessage(aor, body),
    quit: () => agent.stop(),
  };
}

const user = await (setting.library === "jssip" ? withJsSip() : withSipJs());
say("connected");
for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, ...fields } = JSON.parse(line);
  await user[what](fields);
  if (what === "quit") break;
}
setTimeout(() => process.exit(0), 500);
