// Asks once through Anthropic's SDK, then has the SDK read the same bytes again, cut in two at every place and byte by byte.
// The last line of the output is {"stream": the bytes in base64, "message": what the SDK made of them, "cuts": how many}.
const { default: Anthropic } = await import(process.env.SDK);
const params = JSON.parse(process.env.PARAMS);

let bytes, headers;
const asking = new Anthropic({
  maxRetries: 0,
  fetch: async (url, init) => {
    const answer = await fetch(url, init);
    headers = Object.fromEntries(answer.headers);
    bytes = new Uint8Array(await answer.arrayBuffer());
    return new Response(bytes, { status: answer.status, headers });
  },
});
const read = async (client) => JSON.stringify(await client.messages.stream(params).finalMessage());
const message = await read(asking);

const pieces = (list) => new Anthropic({
  maxRetries: 0,
  fetch: async () => new Response(new ReadableStream({
    start(body) {
      for (const piece of list) body.enqueue(piece);
      body.close();
    },
  }), { status: 200, headers }),
});
let cuts = 0;
const check = async (where, list) => {
  const other = await read(pieces(list));
  cuts++;
  if (other !== message) throw new Error(`${where}: ${other} is not ${message}`);
};
for (let at = 1; at < bytes.length; at++) {
  await check(`cut at ${at}`, [bytes.slice(0, at), bytes.slice(at)]);
}
await check('byte by byte', Array.from(bytes, (_, i) => bytes.slice(i, i + 1)));
console.log(JSON.stringify({ stream: Buffer.from(bytes).toString('base64'), message: JSON.parse(message), cuts }));
