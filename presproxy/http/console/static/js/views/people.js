// Who publishes or is watched.
import { el } from '../dom.js';
import { get, isOld } from '../api.js';
import { count, lamp, shown, STATES } from '../words.js';

const PAGE = 100;

export const open = ({ go }) => {
  const body = el('tbody'), more = el('div.more'), total = el('span.faint.num');
  const find = el('input.field', { type: 'search', 'aria-label': 'Look for a person', placeholder: 'name@domain' });
  const element = el('div',
    el('form.bar', { role: 'search', onsubmit: (event) => { event.preventDefault(); if (find.value.trim()) go(`/trace?${new URLSearchParams({ q: `user:${find.value.trim()}` })}`); } }, find, total),
    el('div.people', el('div.card', el('table',
      el('thead', el('tr', el('th', 'Person'), el('th', 'State'), el('th.wide', 'Packages'), el('th', 'Watchers'))), body), more)));
  let begin = 0;
  const row = (person) => {
    const name = person.aor.replace(/^sips?:/, '');
    const active = person.packages.reduce((sum, each) => sum + each.watchers.active, 0);
    const waiting = person.packages.reduce((sum, each) => sum + each.watchers.pending, 0);
    return el('tr', el('td', el('a', { href: `/trace?${new URLSearchParams({ q: `user:${name}` })}` }, shown(name))),
      el('td', el('span.state', lamp(person.state?.token ?? 'unknown'), STATES[person.state?.token ?? 'unknown']), person.note && el('small', shown(person.note))),
      el('td.wide', person.packages.map((each) => el('span.tag', each.package))),
      el('td.num', count(active), waiting > 0 && el('span.tag.warn', `${count(waiting)} waiting`)));
  };
  const load = async () => {
    try {
      const data = await get('presentities', { from: begin, count: PAGE });
      total.replaceChildren(`${count(data.total)} ${data.total === 1 ? 'person' : 'people'}`);
      if (!data.total) body.replaceChildren(el('tr', el('td', { colspan: 4 }, 'Nobody publishes or is watched yet.')));
      body.append(...data.items.map(row));
      begin = data.next;
      more.replaceChildren(begin === null ? '' : el('button.button', { type: 'button', onclick: load }, 'More'));
    } catch (error) {
      if (!isOld(error)) more.replaceChildren(el('p.note.bad', error.message), el('button.button', { type: 'button', onclick: load }, 'Again'));
    }
  };
  load();
  return { title: 'People', element, close: () => {} };
};
