output "repository" {
  description = "The URL of the image repository; null if an existing one is used."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "service" {
  description = "The names of the cluster and the service; null if no image is set."
  value       = one([for service in aws_ecs_service.this : { cluster = local.cluster, name = service.name }])
}

output "role_arn" {
  description = "The ARN of the task role."
  value       = aws_iam_role.work.arn
}
