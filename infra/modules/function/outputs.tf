output "name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "The ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "The ARN of the role of the function."
  value       = aws_iam_role.this.arn
}
