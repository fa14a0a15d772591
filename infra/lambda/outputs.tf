output "function" {
  description = "Name and ARN of the function, and the ARN of its role."
  value       = { name = module.function.name, arn = module.function.arn, role_arn = module.function.role_arn }
}

output "mappings" {
  description = "The ids of the event source mappings, by table and by queue."

  value = merge(
    { for table, mapping in aws_lambda_event_source_mapping.stream : "table/${table}" => mapping.uuid },
    { for queue, mapping in aws_lambda_event_source_mapping.queue : "queue/${queue}" => mapping.uuid },
  )
}
