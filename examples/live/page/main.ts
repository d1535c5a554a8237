/** The page: a document to type into, what that costs either server, and ways to make it harder. */
import './style.css';
import { DEFAULT_ROOM, type PageReport, type Side, sides } from '../protocol/control.ts';
import { ControlChannel } from './control-channel.ts';
import { Controls } from './controls.ts';
import { DocumentSession } from './document-session.ts';
import { editDocument } from './editor.ts';
import { elementOf } from './elements.ts';
import { History, ROW_MS } from './history.ts';
import { Log } from './log.ts';
import { Plots } from './plots.ts';
import { Servers } from './servers.ts';

/** A measurement that has little time may ask for more of them: `?measure-every=25`. */
const MEASURE_EVERY_MS = Math.max(10, Number(new URLSearchParams(location.search).get('measure-every') ?? 100));
/** What this page has to do when it starts is not what is to be measured. */
const SETTLED_AFTER_MS = 1500;
/** What takes longer to become durable is said to be under way. */
const SOON_MS = 300;

const room = new URLSearchParams(location.search).get('room') ?? DEFAULT_ROOM;
const history = new History();
const plots = new Plots();
const log = new Log();
const servers = new Servers();
const place = elementOf('#editor', HTMLElement);
const durable = elementOf('#durable', HTMLElement);
const people = elementOf('#people', HTMLElement);
const banner = elementOf('#banner', HTMLElement);
const sessions: Record<Side, DocumentSession> = {
  worker: newSession('worker'),
  synchronous: newSession('synchronous'),
};
let connected: Record<Side, number> = { worker: 0, synchronous: 0 };
let removeEditor: (() => void) | undefined;

function newSession(side: Side): DocumentSession {
  return new DocumentSession(side, room, {
    roundTrip: (ms) => history.roundTrip(side, ms),
    changed: () => showSoon(),
    compared: (acknowledged, missing) =>
      log.add(
        side,
        missing === 0
          ? `All ${acknowledged.toLocaleString('en')} characters of yours that it had acknowledged were in its file.`
          : `${missing} of ${acknowledged} acknowledged characters of yours are MISSING.`,
      ),
    closed: (code, reason) => {
      if (reason !== '') log.add(side, `The connection was closed: ${reason} (${code}).`);
    },
  });
}

const control = new ControlChannel(hear, (open) => {
  banner.hidden = open;
  banner.textContent = open ? '' : 'The program has ended. Start it again with npm run live; this page will notice.';
});
const controls = new Controls(room, (order) => control.order(order), edit);

function hear(report: PageReport): void {
  if (report.kind === 'sample') {
    history.sample(report.side, report.sample, report.commits);
    servers.sample(report.side, report.sample);
  } else if (report.kind === 'happened') {
    log.add(report.side, report.text, report.at);
  } else {
    controls.show(report.settings);
    connected = { worker: report.sides.worker.connected, synchronous: report.sides.synchronous.connected };
    elementOf('#facts', HTMLElement).textContent = `Node ${report.node} · ${report.cores} cores · room “${room}”`;
    for (const side of sides) {
      const { port, pid } = report.sides[side];
      servers.state(side, report.sides[side]);
      if (port !== undefined) sessions[side].connect(port, pid);
    }
    if (removeEditor === undefined && sessions[controls.side].awareness !== undefined) edit(controls.side);
    showSoon();
  }
}

function edit(side: Side): void {
  removeEditor?.();
  document.body.dataset.side = side;
  removeEditor = editDocument(sessions[side], place, () =>
    log.add(side, 'That would make the document longer than a million characters; it was not inserted.'),
  );
  showSoon();
}

let showing = false;
let durableAt = 0;
function showSoon(): void {
  if (showing) return;
  showing = true;
  requestAnimationFrame(() => {
    showing = false;
    const session = sessions[controls.side];
    const { clock, durable: stored } = session.typed;
    if (stored >= clock) durableAt = performance.now();
    const late = performance.now() - durableAt > SOON_MS;
    const state = !session.synced ? 'lost' : late ? 'waiting' : 'stored';
    const count = clock.toLocaleString('en');
    const text = {
      lost: 'not connected; what you type is kept here',
      waiting: `${stored.toLocaleString('en')} of ${count} key presses durable`,
      stored: clock === 0 ? 'connected' : `all ${count} key presses durable`,
    }[state];
    durable.dataset.state = state;
    durable.dataset.typed = String(clock);
    durable.dataset.durable = String(stored);
    const words = elementOf('span', HTMLElement, durable);
    if (words.textContent !== text) words.textContent = text;
    const here = session.awareness?.getStates().size ?? 0;
    people.textContent = `${here} here, ${connected[session.side]} simulated editors in all`;
  });
}

/** Both servers get the key in the same turn; who is first changes each time. */
let first = 0;
setInterval(() => {
  if (!controls.measures || performance.now() < SETTLED_AFTER_MS) return;
  first = 1 - first;
  for (const side of first === 0 ? sides : sides.toReversed()) sessions[side].typeToMeasure();
}, MEASURE_EVERY_MS);

setInterval(() => {
  history.turn(Date.now());
  plots.show(history);
  servers.show();
  // for whoever reads this page by a program
  document.body.dataset.figures = JSON.stringify(
    Object.fromEntries(
      sides.map((side) => [
        side,
        {
          roundTrips: history.roundTrips(side),
          roundTripP50: history.roundTripAt(side, 0.5),
          roundTripP99: history.roundTripAt(side, 0.99),
          longestDelay: history.longestDelay(side),
          cpuUs: history.mean('cpu', side),
          insideUs: history.mean('inside', side),
          patches: history.mean('patches', side),
          commits: history.mean('commits', side),
        },
      ]),
    ),
  );
}, ROW_MS);
