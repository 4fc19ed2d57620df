// The reference implementation of JSONata, a line each way: {expression, variables} in, {value} out; {} where the
// expression gives nothing, {error} where it fails.
const jsonata = require('jsonata');
const lines = require('readline').createInterface({ input: process.stdin });
async function main() {
  for await (const line of lines) {
    const { expression, variables } = JSON.parse(line);
    let answer;
    try {
      answer = { value: await jsonata(expression).evaluate({}, variables) };
    } catch (error) {
      answer = { error: `${error.code || ''} ${error.message}` };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}
main();
