// Evaluates JSONata of the state machine with the reference implementation: [{expression, variables}] on standard
// input, the results on standard output; what the expression does not give is null.
const jsonata = require('jsonata');
async function main() {
  let text = '';
  for await (const part of process.stdin) text += part;
  const results = [];
  for (const { expression, variables } of JSON.parse(text)) {
    const result = await jsonata(expression).evaluate({}, variables);
    results.push(result === undefined ? null : result);
  }
  process.stdout.write(JSON.stringify(results));
}
main().catch((error) => { process.stderr.write(`${error.code || ''} ${error.message}\n`); process.exit(1); });
