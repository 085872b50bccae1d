/** The commands of RocketMQ's administration program that `mqadmin.test.ts` runs, in the order in which they count. */
import type { Generation } from './java-build.js'

/** What a command may need to know of a side. */
export interface Place {
  readonly names: string
  readonly broker: string
  readonly cluster: string
  /** The broker's id of a message of the topic `Data`. */
  readonly messageId: string
  /** Its client's id. */
  readonly uniqueKey: string
}

/** A command and what of its output is compared. */
export interface AdminCommand {
  readonly name: string
  words(place: Place): readonly string[]
  /** Only of this generation. */
  readonly only?: Generation
  /** Only names are compared, for ours tells fewer. */
  readonly differs?: 'names'
  /** Ours does not do it, and says this. */
  readonly refused?: RegExp
  /** What is compared, where that is not all. */
  lines?(all: string[]): string[]
}

const at = (line: string): ((place: Place) => readonly string[]) => {
  return ({ names, broker, cluster, messageId, uniqueKey }) => {
    const known: Readonly<Record<string, string>> = { $n: names, $b: broker, $c: cluster, $id: messageId, $key: uniqueKey }
    return line.split(' ').map((word) => known[word] ?? word.replaceAll('_', ' '))
  }
}

const command = (line: string, more: Partial<AdminCommand> = {}): AdminCommand => ({
  name: line.replace(' -n $n', ''),
  words: at(line),
  ...more,
})

/** See the head of this file. */
export const commands: readonly AdminCommand[] = [
  command('topicList -n $n'),
  // Beside the groups, 5.3.3 names the topic itself.
  command('topicList -n $n -c', { lines: (all) => all.filter((line) => !/^DefaultCluster (\S+) \1$/.test(line)) }),
  command('topicRoute -n $n -t Data'),
  command('topicClusterList -n $n -t Data'),
  command('topicStatus -n $n -t Data'),
  command('consumerProgress -n $n -g g-data'),
  // What comes before the last figure is how many go out in a second.
  command('consumerProgress -n $n', { lines: (all) => all.map((line) => line.replace(/\d+ (\d+)$/, 'TPS $1')) }),
  command('consumerConnection -n $n -g g-watched'),
  command('consumerStatus -n $n -g g-watched'),
  command('producerConnection -n $n -g none -t Data'),
  // Java puts a stroke before the address.
  command('producer -n $n -b $b', { lines: (all) => all.map((line) => line.replace('remoteIP=/', 'remoteIP=')) }),
  command('queryMsgById -n $n -i $id', { only: '4.9.8' }),
  command('queryMsgById -n $n -t Data -i $id', { only: '5.3.3' }),
  command('queryMsgByKey -n $n -t Data -k key-3'),
  command('queryMsgByUniqueKey -n $n -t Data -i $key'),
  command('queryMsgByOffset -n $n -t Data -b broker-a -i 0 -o 3'),
  command('printMsg -n $n -t Data'),
  command('printMsgByQueue -n $n -t Data -a broker-a -i 1 -p true'),
  command('consumeMessage -n $n -t Data -b broker-a -i 0 -o 2 -c 3'),
  // The broker of 5.3.3 leaves out a figure that the program of 4.9.8 reads.
  // With nothing to do its timer is a second behind now and then.
  command('clusterList -n $n', {
    lines: (all) =>
      all.filter((line) => !line.includes('NullPointerException')).map((line) => line.replace(/ 1-0\(0\.0w, /, ' 0-0(0.0w, ')),
  }),
  command('clusterList -n $n -m'),
  // Two figures that 4.9 knows are there for its program.
  command('brokerStatus -n $n -b $b', {
    differs: 'names',
    lines: (all) => all.filter((line) => !/^(getTransferedTps|remainHowManyDataToCommit) /.test(line)),
  }),
  command('getBrokerConfig -n $n -b $b', { differs: 'names' }),
  command('brokerConsumeStats -n $n -b $b'),
  command('brokerConsumeStats -n $n -b $b -o true'),
  command('queryCq -n $n -t Data -q 0 -i 2 -c 3 -b $b'),
  command('queryCq -n $n -t Data -q 1 -i 2 -c 3 -b $b -g g-watched'),
  command('queryCq -n $n -t Data -q 1 -i 9 -c 30 -b $b -g g-data'),
  command('getNamesrvConfig -n $n', { differs: 'names' }),
  // What has come and gone in a day is sampled at times of each one's own; and 5.3.3 names the topic itself as a group.
  command('statsAll -n $n -t Data', {
    lines: (all) => all.filter((line) => !/^(\S+) \1 /.test(line)).map((line) => line.split(' ').slice(0, 3).join(' ')),
  }),
  command('deleteExpiredCommitLog -n $n -b $b'),
  command('cleanExpiredCQ -n $n -b $b'),
  command('cleanUnusedTopic -n $n -b $b'),
  command('updateBrokerConfig -n $n -b $b -k flushDiskType -v SYNC_FLUSH', {
    refused: /CODE: 3 .*request type 25 not supported/,
  }),
  command('updateNamesrvConfig -n $n -k orderMessageEnable -v true', { refused: /CODE: 3 .*request type 318 not supported/ }),
  command('getConsumerConfig -n $n -g g-data', { only: '5.3.3' }),
  command('getTopicConfig -n $n -t Data', { only: '5.3.3' }),
  command('updateTopic -n $n -c $c -t Made -r 3 -w 2'),
  command('updateTopic -n $n -b $b -t Made -r 4 -w 4 -p 6'),
  command('updateTopicPerm -n $n -b $b -t Made -p 4'),
  command('topicRoute -n $n -t Made'),
  command('updateSubGroup -n $n -b $b -g g-made -r 5 -q 2 -d false'),
  command('updateSubGroup -n $n -c $c -g g-made -r 6'),
  command('resetOffsetByTime -n $n -g g-data -t Data -s 0'),
  command('consumerProgress -n $n -g g-data'),
  command('resetOffsetByTime -n $n -g g-data -t Data -s now'),
  // The group is not there; each says so in its own words.
  command('cloneGroupOffset -n $n -s g-data -d g-copy -t Data -o true', {
    lines: (all) => all.flatMap((line) => line.match(/CODE: \d+/) ?? []),
  }),
  command('skipAccumulatedMessage -n $n -g g-data -t Data'),
  command('setConsumeMode -n $n -c $c -g g-made -t Data -m PULL -q 0', { only: '5.3.3' }),
  command('wipeWritePerm -n $n -b broker-a'),
  command('addWritePerm -n $n -b broker-a'),
  command('updateKvConfig -n $n -s space -k key -v value'),
  command('deleteKvConfig -n $n -s space -k key'),
  command('sendMessage -n $n -t Other -p text -b broker-a -i 0', {
    lines: (all) => all.map((line) => line.replace(/[0-9A-F]{32,}/, 'ID')),
  }),
  command('checkMsgSendRT -n $n -t Other -a 3 -s 10', { lines: (all) => all.map((line) => line.replace(/\d+$/, 'MS')) }),
  command('allocateMQ -n $n -t Data -i one,two'),
  command('deleteSubGroup -n $n -b $b -g g-made'),
  command('deleteTopic -n $n -c $c -t Made'),
  command('topicList -n $n'),
]
