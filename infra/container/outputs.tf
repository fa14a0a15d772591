output "repository" {
  description = "Where images are pushed to."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "service" {
  description = "The cluster and the service; null while no image is named."
  value       = one([for service in aws_ecs_service.this : { cluster = local.cluster, name = service.name }])
}

output "role_arn" {
  description = "The ARN of the role that the container works as."
  value       = aws_iam_role.work.arn
}
