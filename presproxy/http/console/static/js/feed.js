// The stream that tells what is new: one for the page, whatever views want to be told.
const followers = new Map();
let stream = null, reader = null, wanted = '';
let heard = () => {};

export const whenHeard = (tell) => { heard = tell; };

const topics = () => ['server', ...followers.keys()].join('|');
const tell = (kind, data) => {
  for (const [topic, follow] of followers) if (topic.split(':')[0] === kind || kind === 'reset') follow(kind, data);
};

const open = () => {
  stream?.close();
  wanted = topics();
  stream = new EventSource(`/api/v1/events?${new URLSearchParams({ topics: wanted })}`);
  stream.addEventListener('hello', (event) => { reader = JSON.parse(event.data).id; heard('live'); if (wanted !== topics()) change(); });
  for (const kind of ['trace', 'people', 'server', 'reset']) {
    stream.addEventListener(kind, (event) => { const data = JSON.parse(event.data); if (kind === 'server') heard('server', data); else tell(kind, data); });
  }
  stream.addEventListener('bye', () => heard('away'));
  stream.addEventListener('error', () => {
    heard('away');
    reader = null;
    if (stream.readyState === EventSource.CLOSED) setTimeout(open, 3000);
  });
};

const change = async () => {
  if (!reader) return;
  wanted = topics();
  const answer = await fetch(`/api/v1/events/${reader}/topics`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ topics: wanted }) });
  if (!answer.ok) open();
};

// Tells of a topic from now on; gives what ends that.
export const follow = (topic, told) => {
  followers.set(topic, told);
  if (stream) change(); else open();
  return () => { if (followers.get(topic) === told) { followers.delete(topic); change(); } };
};

// A page that nobody sees lets its place go to others.
let leaving = null;
document.addEventListener('visibilitychange', () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(() => { stream?.close(); stream = null; reader = null; }, 10_000);
  else if (!stream) { open(); tell('reset', { reason: 'the page was hidden' }); }
});
export const start = open;
