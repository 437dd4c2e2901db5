// Lanes and rungs. The gap between two lanes is the least that holds every label between
// them, measured in the font that is really used, so that no label is cut or met.
import { el, drawn } from './dom.js';
import { clock, apart, lamp, shown } from './words.js';

const TIMES = 112, ROOM = 40;
const canvas = document.createElement('canvas').getContext('2d');
const width = (text, font) => { canvas.font = font; return canvas.measureText(text).width; };

export const words = (message) => message.status === null
  ? [message.method || 'Unreadable', shown(message.target ?? '')]
  : [String(message.status), shown(message.reason ?? '')];
export const detailOf = (message) => [shown(message.detail), message.retransmissions.length ? `sent ${message.retransmissions.length + 1} times` : ''].filter(Boolean).join(' · ');

// Gives where each lane is, by its id, and how wide the whole is.
export const place = (lanes, messages, room) => {
  if (!lanes.length) return { x: new Map(), width: room };
  const sans = getComputedStyle(document.body).fontFamily;
  const order = new Map(lanes.map((lane, number) => [lane.id, number]));
  const heads = lanes.map((lane) => Math.max(width(shown(lane.label), `600 13px ${sans}`), width(shown(lane.agent ?? ''), `400 11px ${sans}`), width(lane.address ?? '', `400 11px ${sans}`)));
  const gaps = lanes.slice(1).map((_, number) => (heads[number] + heads[number + 1]) / 2 + 28);
  const needs = messages.map((message) => {
    const [first, last] = [order.get(message.from) ?? 0, order.get(message.to) ?? 0].sort((one, other) => one - other);
    const [head, rest] = words(message);
    const label = width(`${head} ${rest}`, `640 12px ${sans}`) + (message.mark ? 20 : 0) + 8;
    return { first, last, wide: Math.max(label, width(detailOf(message), `400 11px ${sans}`)) + ROOM };
  }).sort((one, other) => (one.last - one.first) - (other.last - other.first));
  for (const { first, last, wide } of needs) {
    const have = gaps.slice(first, last).reduce((sum, gap) => sum + gap, 0);
    for (let number = first; number < last && have < wide; number++) gaps[number] += (wide - have) / (last - first);
  }
  const left = TIMES + heads[0] / 2 + 16, right = heads.at(-1) / 2 + 24;
  const total = gaps.reduce((sum, gap) => sum + gap, left + right);
  if (total < room && gaps.length) gaps.forEach((gap, number) => { gaps[number] = gap + (room - total) / gaps.length; });
  const x = new Map([[lanes[0].id, left]]);
  gaps.forEach((gap, number) => x.set(lanes[number + 1].id, x.get(lanes[number].id) + gap));
  return { x, width: Math.max(total, room) };
};

export const heads = (lanes, x) => el('div.lanes', lanes.map((lane) => el(`div.lane${lane.role === 'server' ? '.server' : ''}`,
  { style: { left: `${x.get(lane.id)}px` }, title: `${shown(lane.identity ?? lane.label)} ${lane.transport ?? ''} ${lane.address ?? ''}` },
  el('b', shown(lane.label)), el('small', shown(lane.agent ?? lane.address ?? '')))));
export const rails = (lanes, x) => el('div.rails', { 'aria-hidden': 'true' }, lanes.map((lane) => el(`div.rail${lane.role === 'server' ? '.server' : ''}`, { style: { left: `${x.get(lane.id)}px` } })));

const colour = (message) => {
  if (message.status === null) return message.method ? '' : '.wrong';
  if (message.status === 401 || message.status === 407) return '.challenge';
  return message.status >= 400 ? '.wrong' : '.ok';
};

const arrow = (message, from, to) => {
  const wide = Math.abs(to - from), right = to > from, tip = right ? wide - 1 : 1, back = right ? -9 : 9;
  const again = message.retransmissions.slice(0, 3).map((_, number) => drawn('line.again', { x1: right ? 0 : 12, x2: right ? wide - 12 : wide, y1: 3 - 2 * number, y2: 3 - 2 * number }));
  const isOpen = message.method === 'BENOTIFY' && message.status === null;
  return drawn('svg.arrow', { width: wide, height: 12, 'aria-hidden': 'true', style: { left: `${Math.min(from, to)}px`, overflow: 'visible' } }, again,
    drawn('line', { x1: right ? 0 : 8, x2: right ? wide - 8 : wide, y1: 6, y2: 6 }),
    drawn(isOpen ? 'path.open' : 'path.head', { d: isOpen ? `M${tip + back} 1.5L${tip} 6L${tip + back} 10.5` : `M${tip} 6l${back} -4.2v8.4z` }));
};

export const rung = (message, { x, lanes, began, chosen, dialog, choose }) => {
  const from = x.get(message.from) ?? 0, to = x.get(message.to) ?? 0, middle = `${(from + to) / 2}px`;
  const name = (id) => shown(lanes.find((lane) => lane.id === id)?.label ?? '?');
  const [head, rest] = words(message), detail = detailOf(message);
  const state = message.mark ? ` ${message.mark}` : '';
  return el(`button.rung${colour(message)}${message.status === null ? '' : '.response'}${dialog ? '.same-dialog' : ''}`,
    { type: 'button', role: 'option', 'aria-selected': String(chosen), 'data-id': message.id, onclick: choose,
      'aria-label': `${clock(message.at)} ${name(message.from)} to ${name(message.to)}: ${head} ${rest}${state}. ${detail}` },
    el('span.at.num', clock(message.at), el('small', apart(began, message.at))),
    arrow(message, from, to),
    el('span.label', { style: { left: middle } }, el('b', head), rest, message.mark && lamp(message.mark, 12)),
    el('span.route', `${name(message.from)} → ${name(message.to)}`),
    el('span.detail', { style: { left: middle } }, detail));
};
