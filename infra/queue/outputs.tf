locals {
  existing = {
    for name, queue in data.aws_sqs_queue.existing : name => { name = queue.name, arn = queue.arn, url = queue.url, dead_arn = null }
  }
  all = merge({ for name, made in module.queue : name => made.queue }, local.existing)
}

output "queues" {
  description = "Name, ARN and URL of each queue, and the ARN of its dead-letter queue: pending-MODULE and changes-TABLE."
  value       = local.all
}

output "topics" {
  description = "The ARN of the topic of each bucket."
  value       = local.topics
}

output "names" {
  description = "The queue for each logical queue name: a part of the setting `names`."
  value       = { for name, queue in local.all : "queue/${name}" => queue.name }
}
