// What went over the wire: figures, their ladder, and the message that is chosen.
import { el, drawn } from '../dom.js';
import { get, isOld } from '../api.js';
import { follow } from '../feed.js';
import { KINDS, announce, clock, count, lamp, shown, took } from '../words.js';
import { heads, place, rails, rung } from '../ladder.js';

const MOST = 400;

export const open = ({ query, go }) => {
  const words = query.get('q') ?? '', errors = query.get('errors') === '1', chosen = query.get('msg');
  const each = query.get('each') === '1';
  const held = { lanes: new Map(), figures: new Map(), messages: new Map(), capture: null, density: null };
  let paused = query.get('paused') === '1', waiting = 0, following = true, frame = 0, detail = null;

  const box = el('div.ladder-box', { tabindex: 0, 'aria-label': 'Ladder of messages' }, el('p.note', 'Reading what is held…'));
  const strip = el('div.strip');
  const aside = el('aside.aside', { 'aria-label': 'Message', hidden: !chosen });
  const filter = el('input.field', { type: 'search', value: words, 'aria-label': 'Filter', placeholder: 'user:  call-id:  method:  status:  transport:  package:  figure:' });
  const pause = el('button.button', { type: 'button', title: 'space', 'aria-pressed': String(paused), onclick: () => setPaused(!paused) }, 'Pause');
  const with_ = (changes) => { const next = new URLSearchParams(query); for (const [name, value] of Object.entries(changes)) if (value) next.set(name, value); else next.delete(name); return `/trace${next.size ? `?${next}` : ''}`; };
  const file = (as) => `/api/v1/trace?${new URLSearchParams({ as, q: words, errors: errors ? '1' : '0', folded: '0' })}`;
  const element = el('div.trace',
    el('form.bar', { role: 'search', onsubmit: (event) => { event.preventDefault(); go(with_({ q: filter.value.trim() })); } },
      pause, filter,
      el('button.button', { type: 'button', title: 'e', 'aria-pressed': String(errors), onclick: () => go(with_({ errors: errors ? '' : '1' })) }, 'Errors only'),
      el('button.button', { type: 'button', 'aria-pressed': String(each), onclick: () => go(with_({ each: each ? '' : '1' })) }, 'Show each repeat'),
      [['text', 'Text'], ['pcap', 'pcap'], ['log', 'JSON']].map(([as, name]) => el('a.button', { href: file(as), download: '' }, name))),
    strip, box, aside);

  const setPaused = (is) => { paused = is; pause.setAttribute('aria-pressed', String(is)); if (!is) { waiting = 0; load(); } label(); };
  const label = () => pause.replaceChildren(paused ? (waiting ? `Paused · ${count(waiting)} new` : 'Paused') : 'Pause');

  const take = (data) => {
    for (const lane of data.lanes ?? []) held.lanes.set(lane.id, lane);
    for (const figure of data.figures) { held.figures.delete(figure.id); held.figures.set(figure.id, figure); }
    for (const message of data.messages) held.messages.set(message.id, message);
    held.capture = data.capture ?? held.capture;
    held.density = data.density ?? held.density;
    while (held.messages.size > MOST && held.figures.size > 1) {
      const oldest = [...held.figures.values()].reduce((one, other) => (Number(one.id.slice(1)) < Number(other.id.slice(1)) ? one : other));
      held.figures.delete(oldest.id);
      for (const message of held.messages.values()) if (message.figure === oldest.id) held.messages.delete(message.id);
    }
    if (!frame) frame = requestAnimationFrame(draw);
  };

  const draw = () => {
    frame = 0;
    drawStrip();
    if (!held.figures.size) { box.replaceChildren(el('p.note', words || errors ? 'Nothing that is held fits this filter.' : 'Nothing was seen yet. What comes appears here.')); return; }
    const messages = [...held.messages.values()];
    const used = new Set(messages.flatMap((message) => [message.from, message.to]));
    const side = (lane) => ({ watcher: 0, server: 1 })[lane.role] ?? 2;
    const lanes = [...held.lanes.values()].filter((lane) => used.has(lane.id)).sort((one, other) => side(one) - side(other));
    const { x, width } = place(lanes, messages, box.clientWidth);
    const dialog = held.messages.get(chosen)?.call_id;
    const atEnd = following, top = box.scrollTop;
    const figures = [...held.figures.values()].sort((one, other) => Number(one.id.slice(1)) - Number(other.id.slice(1)));
    box.replaceChildren(el('div.ladder', innerWidth > 640 ? { style: { width: `${width}px` } } : {}, heads(lanes, x), rails(lanes, x), figures.map((figure) => {
      const own = messages.filter((message) => message.figure === figure.id).sort((one, other) => one.id - other.id);
      return el(`section.figure.${figure.kind}`, { 'data-id': figure.id, 'aria-label': `${KINDS[figure.kind]}: ${shown(figure.title)}` },
        el('header', el('span.kind', KINDS[figure.kind]), figure.state && el('span.lamps', lamp(figure.state[0] ?? 'unknown', 13), '→', lamp(figure.state[1] ?? 'unknown', 13)),
          el('h2', shown(figure.title)), el('span.out', shown(figure.outcome)), el('span.took.num', figure.repeats > 1 ? `× ${count(figure.repeats)}` : took(figure.ms))),
        own.length > 0 && el('div', { role: 'listbox', 'aria-label': shown(figure.title) }, own.map((message) => rung(message, { x, lanes, began: own[0].at, chosen: message.id === chosen, dialog: dialog && dialog === message.call_id, choose: () => go(with_({ msg: message.id })) }))));
    })));
    const target = chosen && !detail && box.querySelector(`[data-id="${CSS.escape(chosen)}"]`);
    if (target) { target.scrollIntoView({ block: 'center' }); following = false; } else box.scrollTop = atEnd ? box.scrollHeight : top;
  };

  const drawStrip = () => {
    const { density, capture } = held;
    if (!density) return;
    const most = Math.max(1, ...density.buckets.map(([all]) => all));
    strip.replaceChildren(
      el('span.kinds', ['subscription', 'publication', 'change', 'polling'].map((kind) => el('a', { href: with_({ q: `figure:${kind}` }) }, el('i', { style: { background: `var(--${kind})` } }), KINDS[kind]))),
      drawn('svg', { viewBox: `0 0 ${density.buckets.length * 8} 30`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Messages over the last three minutes, errors marked' },
        density.buckets.map(([all, wrong], number) => [
          all > 0 && drawn('rect.all', { x: number * 8 + 1, y: 30 - 28 * all / most, width: 6, height: 28 * all / most }),
          wrong > 0 && drawn('rect.wrong', { x: number * 8 + 1, y: 30 - Math.max(3, 28 * wrong / most), width: 6, height: Math.max(3, 28 * wrong / most) })])),
      el('span.num', `${count(capture.held)} held of ${count(capture.seen)} seen · last 3 min`));
  };

  const load = async () => {
    try {
      const data = await get('trace', { q: words, errors: errors ? '1' : '', folded: each ? '0' : '' });
      held.figures.clear(); held.messages.clear(); held.lanes.clear();
      take(data);
    } catch (error) {
      if (isOld(error)) return;
      box.replaceChildren(el('p.note.bad', `${error.message} `, el('button.button', { type: 'button', onclick: load }, 'Again')));
    }
  };

  const show = async () => {
    try { detail = await get(`trace/${chosen}`, {}, 'message'); } catch (error) {
      if (isOld(error)) return;
      aside.replaceChildren(el('p.note.bad', error.message)); return;
    }
    const close = () => go(with_({ msg: '', as: '' }));
    const as = query.get('as') ?? 'read';
    const bytes = new TextEncoder().encode(detail.raw);
    const hex = () => { const lines = []; for (let at = 0; at < Math.min(bytes.length, 16384); at += 16) { const row = [...bytes.slice(at, at + 16)]; lines.push(`${at.toString(16).padStart(4, '0')}  ${row.map((octet) => octet.toString(16).padStart(2, '0')).join(' ').padEnd(48)} ${row.map((octet) => (octet > 31 && octet < 127 ? String.fromCharCode(octet) : '.')).join('')}`); } return lines.join('\n'); };
    aside.replaceChildren(
      el('header', el('h2', `${shown(detail.start.split(' ').slice(0, 2).join(' ')).slice(0, 60)}`, el('button.button', { type: 'button', 'aria-label': 'Close', onclick: close }, '×')),
        el('div.ways', ['read', 'raw', 'hex'].map((way) => el('a.button', { href: with_({ as: way === 'read' ? '' : way }), 'aria-current': way === as ? 'true' : null, 'aria-pressed': null }, way[0].toUpperCase() + way.slice(1))))),
      ...(as === 'raw' ? [el('section', el('pre', shown(detail.raw)))] : as === 'hex' ? [el('section', el('pre', hex()))] : [
        el('section', el('h3', 'Delivery'), el('dl', detail.delivery.map((step) => [el('dt.num', step.at), el('dd', step.what)]))),
        el('section', el('h3', 'Header'), el('p.mono', shown(detail.start)), el('dl', detail.headers.map(([name, value]) => [el('dt', shown(name)), el('dd', shown(value))]))),
        detail.body && el('section', el('h3', shown(detail.body.type)), el('pre', shown(pretty(detail.body.text))), detail.body.is_cut && el('p.faint', 'The rest is in the file.'))]).filter(Boolean));
  };

  box.addEventListener('scroll', () => { following = box.scrollTop + box.clientHeight > box.scrollHeight - 20; });
  const resized = new ResizeObserver(() => { if (held.figures.size && !frame) frame = requestAnimationFrame(draw); });
  resized.observe(box);
  const end = follow(`trace:${errors ? '!' : ''}${words}`, (kind, data) => {
    if (kind === 'reset') { if (!paused) load(); return; }
    held.capture = data.capture;
    if (paused) { waiting += data.messages.length; label(); return; }
    take(data);
    if (data.figures.length) announce(`${data.figures.length} figures are new`);
  });
  label();
  load();
  if (chosen) show();
  const key = (name) => {
    if (name === ' ') { setPaused(!paused); return true; }
    if (name === 'e') { go(with_({ errors: errors ? '' : '1' })); return true; }
    if (name === 'Escape' && chosen) { go(with_({ msg: '', as: '' })); return true; }
    if (name === 'j' || name === 'k') {
      const rungs = [...box.querySelectorAll('.rung')], at = rungs.indexOf(document.activeElement);
      rungs[Math.max(0, Math.min(rungs.length - 1, at + (name === 'j' ? 1 : -1)))]?.focus();
      return true;
    }
    return false;
  };
  return { title: 'Trace', element, key, close: () => { end(); resized.disconnect(); cancelAnimationFrame(frame); } };
};

// XML with a line for each element; whatever is no XML stays as it is.
const pretty = (text) => {
  if (!text.trimStart().startsWith('<')) return text;
  const root = new DOMParser().parseFromString(text, 'application/xml');
  if (root.querySelector('parsererror')) return text;
  const lines = [];
  const write = (element, depth) => {
    const begin = `${'  '.repeat(depth)}<${[element.tagName, ...[...element.attributes].map((each) => `${each.name}="${each.value}"`)].join(' ')}`;
    const children = [...element.children], inner = element.textContent.trim();
    if (children.length) { lines.push(`${begin}>`); children.forEach((child) => write(child, depth + 1)); lines.push(`${'  '.repeat(depth)}</${element.tagName}>`); }
    else lines.push(inner ? `${begin}>${inner}</${element.tagName}>` : `${begin}/>`);
  };
  write(root.documentElement, 0);
  return lines.join('\n');
};
