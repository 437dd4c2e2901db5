// All that the page says, and how it writes numbers and times.
import { el, drawn } from './dom.js';

export const STATES = {
  available: 'Available', idle: 'Inactive', busy: 'Busy', dnd: 'Do not disturb', brb: 'Be right back',
  away: 'Away', offwork: 'Off work', offline: 'Offline', unknown: 'Unknown',
};
export const KINDS = {
  subscription: 'Subscription', publication: 'Publication', change: 'Change', polling: 'Polling',
  'sign-in': 'Sign-in', ending: 'End', relayed: 'Passed on', service: 'Service',
  'keep-alive': 'Keep-alive', other: 'Other', unread: 'Unreadable',
};
export const NUMBERS = new Intl.NumberFormat('en-US');
export const count = (number) => NUMBERS.format(number);

// What a stranger wrote: control characters and marks of direction are shown as such.
export const shown = (text) => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  (sign) => `\u2423${sign.codePointAt(0).toString(16).toUpperCase()}`);

export const clock = (at) => at.slice(11, 23);
export const microseconds = (at) => Date.parse(at.slice(0, 19) + 'Z') * 1000 + Number((at.slice(20, -1) + '000000').slice(0, 6));
export const apart = (from, to) => {
  const ms = (microseconds(to) - microseconds(from)) / 1000;
  return ms <= 0 ? 'start' : `+${ms < 10 ? ms.toFixed(1) : count(Math.round(ms))} ms`;
};
export const took = (ms) => `${ms < 100 ? ms.toFixed(1) : count(Math.round(ms))} ms`;
export const ago = (at, now) => {
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}`;
};

// A silhouette for each state, so that none is told by colour alone.
const SHAPES = {
  available: () => [drawn('circle', { cx: 8, cy: 8, r: 6.5 })],
  idle: () => [drawn('circle', { cx: 8, cy: 8, r: 5.8, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4 }), drawn('path', { d: 'M8 2.2a5.8 5.8 0 0 0 0 11.6z' })],
  busy: () => [drawn('rect', { x: 2, y: 2, width: 12, height: 12, rx: 2.5 })],
  dnd: () => [drawn('path', { d: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM4.5 7h7v2h-7z', 'fill-rule': 'evenodd' })],
  brb: () => [drawn('path', { d: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM7.3 4h1.4v3.8l2.6 1.6-.7 1.2-3.3-2z', 'fill-rule': 'evenodd' })],
  away: () => [drawn('path', { d: 'M8 2l6.5 12h-13z' })],
  offwork: () => [drawn('path', { d: 'M10 2a6.2 6.2 0 1 0 4 9a5.4 5.4 0 0 1-4-9z' })],
  offline: () => [drawn('circle', { cx: 8, cy: 8, r: 5.6, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8 })],
  unknown: () => [drawn('circle', { cx: 8, cy: 8, r: 5.6, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'stroke-dasharray': '3 2.8' })],
};
export const lamp = (state, size = 14) => {
  const known = state in SHAPES ? state : 'unknown';
  return drawn(`svg.lamp.${known}`, { viewBox: '0 0 16 16', width: size, height: size, fill: 'currentColor', role: 'img', 'aria-label': STATES[known] }, SHAPES[known]());
};

const ICONS = {
  people: 'M5.5 7.5a2.5 2.5 0 1 0 0-5a2.5 2.5 0 0 0 0 5zM1 14c0-3 2-4.5 4.5-4.5S10 11 10 14M11 3a2.3 2.3 0 0 1 0 4.5M12 9.8c1.9.4 3 1.9 3 4.2',
  trace: 'M3 1.5v13M13 1.5v13M3 5h8m-2-2l2 2l-2 2M13 11H5m2-2l-2 2l2 2',
  theme: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
};
export const icon = (name) => drawn('svg', { viewBox: '0 0 16 16', width: 16, height: 16, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' }, drawn('path', { d: ICONS[name] }));

let told = 0;
// Says something to who cannot see it, at most every ten seconds.
export const announce = (text) => {
  const now = Date.now();
  if (now - told < 10_000) return;
  told = now;
  document.querySelector('[role=status]').replaceChildren(el('span', text));
};
