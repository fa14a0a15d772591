// The npm package dynamodb-stream-elasticsearch, called as in its README. runner.py describes the protocol.
// BULK=1 enables its own options for speed: one bulk request, persistent connections, no refresh.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { pushStream } = createRequire(process.env.PEERS + '/')('dynamodb-stream-elasticsearch')
const options = process.env.BULK ? { useBulk: true, keepAlive: true, refresh: false } : {}
let event, endpoint, index

async function answer (order) {
  if (order.event) {
    event = JSON.parse(readFileSync(order.event))
    endpoint = order.url
    index = order.index
    return {}
  }
  if (order.memory) return { now: process.memoryUsage().rss, most: process.resourceUsage().maxRSS * 1024 }
  const wall = []
  const cpu = []
  for (let run = 0; run < order.times; run++) {
    const before = process.cpuUsage()
    const began = performance.now()
    await pushStream({ event, endpoint, index, ...options })
    wall.push((performance.now() - began) / 1000)
    const used = process.cpuUsage(before)
    cpu.push((used.user + used.system) / 1e6)
  }
  return { wall, cpu }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n')
}
